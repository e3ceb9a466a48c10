import { expect, it, onTestFinished, vi } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import { FileStorage, type Fsync } from '../../../../src/storage/file/index.ts'
import type { Manifest } from '../../../../src/upload.ts'
import { FaultyFiles } from '../../../support/faulty-files.ts'
import { complete, entryOf, mustLoad, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'
import { aFile } from '../../../support/file-samples.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const recordOf = ({ id, fileId }: Manifest) => aFile({ id: fileId, uploadId: id })

async function setUp(fsync: Fsync) {
  const files = new FaultyFiles()
  const storage = new FileStorage({ directory: await tempDir(), layer: files, fsync })
  await storage.open()
  onTestFinished(() => storage.close())
  return { files, storage }
}

/** Calls on files that a small file takes, from its creation to its end; what a test reads besides is not counted. */
async function callsOfSmallFile(fsync: Fsync): Promise<string[]> {
  const { files, storage } = await setUp(fsync)
  // However slow this machine is, no journal is closed because nobody has written it for a moment.
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const bytes = testBytes(1000)
  const manifest = testManifest({ chunkSize: MIB, size: bytes.length })
  const start = files.operations.length
  await storage.create(manifest)
  const created = files.operations.slice(start)
  const upload = await mustLoad(storage, manifest.id)
  const before = files.operations.length
  const writer = await storage.beginChunk(upload, 0, 0)
  await writer.write([bytes])
  await writer.finish(entryOf(0, bytes))
  await storage.record(manifest.id, { type: 'completing' })
  await storage.assemble(upload)
  await storage.files.put(recordOf(upload.manifest))
  await storage.record(manifest.id, { type: 'ended', status: 'uploaded', at: 1 })
  await storage.files.get(manifest.fileId)
  return [...created, ...files.operations.slice(before)].map(({ name }) => name)
}

it('a small file is stored and finished by few calls, and without reading what was just written', async () => {
  const calls = await callsOfSmallFile('off')
  expect(calls).not.toContain('readFile')
  // Each is a journey to another thread and back, and costs more there and here than what is done on it.
  const expected = [
    // The folder, the journal, which stays open, and the manifest.
    'mkdir open open writev close',
    // The bytes, and the line that says so.
    'open writev writev close',
    // `completing`, and the bytes get their name.
    'writev rename',
    // The file's record, and `uploaded`.
    'open writev close writev close',
  ]
  expect(calls.join(' ')).toBe(expected.join(' '))
})

it('a record is read before it is written where another may stand', async () => {
  const { files, storage } = await setUp('off')
  const bytes = testBytes(1000)
  const upload = await storeAll(storage, testManifest({ chunkSize: MIB, size: bytes.length }), bytes)
  await storage.record(upload.manifest.id, { type: 'completing' })
  await storage.assemble(upload)
  await storage.files.put(recordOf(upload.manifest), ['webhook'])
  expect(files.count('readFile', `${upload.manifest.fileId}.json`)).toBe(0)
  // Completed again, as after a kill: who has been told is not told again, nor forgotten.
  await storage.assemble(upload)
  await storage.files.put(recordOf(upload.manifest))
  expect(files.count('readFile', `${upload.manifest.fileId}.json`)).toBe(1)
  await expect(storage.files.owed(upload.manifest.fileId)).resolves.toMatchObject({ receivers: ['webhook'] })
})

it('a small file that is synced when it ends takes no sync twice that once would do', async () => {
  const calls = await callsOfSmallFile('complete')
  expect(calls).not.toContain('readFile')
  // Bytes before `completing`, and not again by whoever gives them their name; the two lines.
  expect(calls.filter((name) => name === 'datasync')).toHaveLength(3)
  // Both folders of that name, the record and its folder; before, the manifest, its folder and the folder of all.
  expect(calls.filter((name) => name === 'sync')).toHaveLength(7)
})

it('writes of one file are made one at a time, however many write it', async () => {
  const files = new FaultyFiles()
  const open = files.open.bind(files)
  let underWay = 0
  let most = 0
  files.open = async (path, flags) => {
    const handle = await open(path, flags)
    if (!path.endsWith('/data')) return handle
    const writev: typeof handle.writev = async (buffers, position) => {
      underWay += 1
      most = Math.max(most, underWay)
      try {
        return await handle.writev(buffers, position)
      } finally {
        underWay -= 1
      }
    }
    return { ...handle, writev }
  }
  const storage = new FileStorage({ directory: await tempDir(), layer: files })
  await storage.open()
  onTestFinished(() => storage.close())
  const bytes = testBytes(4 * MIB)
  const manifest = testManifest({ chunkSize: MIB, size: bytes.length })
  await storage.create(manifest)
  const upload = await mustLoad(storage, manifest.id)
  const put = async (number: number): Promise<void> => {
    const chunk = bytes.subarray(number * MIB, (number + 1) * MIB)
    const writer = await storage.beginChunk(upload, number, 0, { memory: MIB / 4 })
    for (let at = 0; at < MIB; at += MIB / 16) await writer.write([chunk.subarray(at, at + MIB / 16)])
    await writer.finish(entryOf(number, chunk))
  }
  await Promise.all([0, 1, 2, 3].map(put))
  expect(most).toBe(1)
  expect((await complete(storage, await mustLoad(storage, manifest.id))).status).toBe('uploaded')
})

it('a file in many chunks is read back by its journal once, when it is completed', async () => {
  const { files, storage } = await setUp('off')
  const bytes = testBytes(100 * 1000)
  const stored = await storeAll(storage, testManifest({ chunkSize: 1000, size: bytes.length }), bytes)
  const before = files.count('readFile', 'journal')
  await storage.record(stored.manifest.id, { type: 'completing' })
  expect(files.count('readFile', 'journal') - before).toBe(1)
})
