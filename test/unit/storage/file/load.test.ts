import { describe, expect, it } from 'vitest'
import { type FileLayer, FileStorage } from '../../../../src/storage/file/index.ts'
import { FaultyFiles, MemoryFiles, systemError } from '../../../support/faulty-files.ts'
import {
  chunkOf,
  complete,
  gather,
  mustLoad,
  putChunk,
  storeAll,
  tailOf,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const bytes = testBytes(250)

async function openOn(layer: FileLayer): Promise<FileStorage> {
  const storage = new FileStorage({ directory: '/data', layer, ownerWaitMs: 0 })
  await storage.open()
  return storage
}

/** Files with an upload of chunks 0, 1 and a tail of 20 bytes, and what was synced of them. */
async function setUp() {
  const memory = new MemoryFiles()
  const files = new FaultyFiles(memory)
  const storage = await openOn(files)
  const manifest = testManifest()
  await storage.create(manifest)
  const upload = await mustLoad(storage, manifest.id)
  await putChunk(storage, upload, bytes, 0)
  await putChunk(storage, upload, bytes, 1)
  const writer = await storage.beginChunk(upload, 2, 0)
  await writer.write([bytes.subarray(200, 220)])
  await writer.suspend(tailOf(2, bytes.subarray(200, 220)))
  const folder = `/data/uploads/${manifest.id}`
  const overwrite = async (layer: MemoryFiles, position: number, content: Buffer) => {
    const handle = await layer.open(`${folder}/data`, 'r+')
    await handle.writev([content], position)
  }
  return { memory, files, storage, manifest, folder, overwrite }
}

const everything = () => true

describe('after another boot', () => {
  it('trusts chunks and tail whose bytes are there, and does not look again', async () => {
    const { memory, manifest } = await setUp()
    const files = new FaultyFiles(memory.powerCut(everything, true))
    const storage = await openOn(files)
    const upload = await mustLoad(storage, manifest.id)
    expect([...upload.ledger.chunks.keys()]).toHaveLength(2)
    expect(upload.ledger.offset(manifest)).toBe(220)
    const reads = files.count('read')
    expect(reads).toBeGreaterThan(0)
    expect((await mustLoad(storage, manifest.id)).ledger.offset(manifest)).toBe(220)
    expect(files.count('read')).toBe(reads)
    await storage.close()
    const again = new FaultyFiles(memory.powerCut(everything, true))
    await openOn(again)
  })

  it.each([
    ['chunk 0', 99, [1], 0],
    ['chunk 1', 100, [0], 100],
    ['the tail', 219, [0, 1], 200],
  ])('drops %s where its bytes are others, and says so in the journal', async (_what, position, numbers, offset) => {
    const { memory, manifest, overwrite } = await setUp()
    const after = memory.powerCut(everything, true)
    await overwrite(after, position, Buffer.of((bytes[position] ?? 0) ^ 1))
    const first = await openOn(after)
    const upload = await mustLoad(first, manifest.id)
    expect(new Set(upload.ledger.chunks.keys())).toEqual(new Set(numbers))
    expect(upload.ledger.offset(manifest)).toBe(offset)
    await first.close()
    // The same boot: the journal is believed as it stands.
    expect((await mustLoad(await openOn(after), manifest.id)).ledger.offset(manifest)).toBe(offset)
  })

  it('keeps nothing where the data file is gone, and takes the bytes again', async () => {
    const { memory, manifest, folder } = await setUp()
    const after = memory.powerCut(everything, true)
    await after.unlink(`${folder}/data`)
    const storage = await openOn(after)
    const upload = await mustLoad(storage, manifest.id)
    expect(upload.status).toBe('initiated')
    expect(upload.ledger.durableBytes).toBe(0)
    for (const n of [0, 1, 2]) await putChunk(storage, upload, bytes, n)
    await complete(storage, await mustLoad(storage, manifest.id))
    expect(await gather(await storage.openFile(manifest.fileId, 0, 250))).toEqual(bytes)
  })

  it('keeps a length that was declared', async () => {
    const storage = await openOn(new MemoryFiles('x'))
    await storage.close()
    const memory = new MemoryFiles()
    const before = await openOn(memory)
    const manifest = testManifest({ size: null })
    await before.create(manifest)
    const upload = await mustLoad(before, manifest.id)
    await putChunk(before, upload, bytes, 0)
    await before.record(manifest.id, { type: 'length', size: 150, at: 1 })
    const after = await openOn(memory.powerCut(everything, true))
    expect((await mustLoad(after, manifest.id)).size).toBe(150)
    expect((await mustLoad(after, manifest.id)).size).toBe(150)
  })

  it('does not read an upload that has ended', async () => {
    const memory = new MemoryFiles()
    const before = await openOn(memory)
    const done = await complete(before, await storeAll(before, testManifest(), bytes))
    const files = new FaultyFiles(memory.powerCut(everything, true))
    const after = await openOn(files)
    expect((await mustLoad(after, done.manifest.id)).status).toBe('uploaded')
    expect(files.count('read')).toBe(0)
  })

  it('tells a passing trouble from bytes that are gone', async () => {
    const { memory, manifest } = await setUp()
    const files = new FaultyFiles(memory.powerCut(everything, true))
    const storage = await openOn(files)
    files.fault = ({ name }) => (name === 'read' ? systemError('EIO') : undefined)
    await expect(storage.load(manifest.id)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    files.fault = () => undefined
    expect((await mustLoad(storage, manifest.id)).ledger.offset(manifest)).toBe(220)
    expect(files.openBesidesJournals).toBe(0)
  })
})

describe('after an fsync of the bytes has failed', () => {
  async function failedCompletion() {
    const made = await setUp()
    const { storage, files, manifest } = made
    await putChunk(storage, await mustLoad(storage, manifest.id), bytes, 2, 20)
    files.fault = ({ name, path }) => (name === 'datasync' && path.endsWith('/data') ? systemError('EIO') : undefined)
    await expect(storage.record(manifest.id, { type: 'completing' })).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    files.fault = () => undefined
    return made
  }

  it('does not complete, and writes the bytes anew before it does', async () => {
    const { storage, files, manifest, memory, folder } = await failedCompletion()
    expect((await mustLoad(storage, manifest.id)).status).toBe('uploading')
    expect(files.count('writev', `${folder}/data`)).toBeGreaterThan(3)
    await complete(storage, await mustLoad(storage, manifest.id))
    const after = await openOn(memory.powerCut())
    expect(await gather(await after.openFile(manifest.fileId, 0, 250))).toEqual(bytes)
  })

  it('completes at the next attempt though nobody loads', async () => {
    const { storage, files, manifest, folder } = await failedCompletion()
    const before = files.count('writev', `${folder}/data`)
    await storage.record(manifest.id, { type: 'completing' })
    expect(files.count('writev', `${folder}/data`) - before).toBe(3)
  })

  it('asks for the chunks whose bytes are not there', async () => {
    const { storage, manifest, memory, overwrite } = await failedCompletion()
    await overwrite(memory, 150, Buffer.alloc(1))
    await expect(storage.record(manifest.id, { type: 'completing' })).rejects.toMatchObject({
      code: 'CHUNKS_MISSING',
      details: { missing: [[1, 1]] },
    })
    await putChunk(storage, await mustLoad(storage, manifest.id), bytes, 1)
    await complete(storage, await mustLoad(storage, manifest.id))
    expect(await gather(await storage.openFile(manifest.fileId, 0, 250))).toEqual(bytes)
  })

  it('is not forgotten when the process is killed', async () => {
    const { manifest, memory, overwrite } = await failedCompletion()
    await overwrite(memory, 150, Buffer.alloc(1))
    const storage = await openOn(memory.kill())
    expect((await mustLoad(storage, manifest.id)).ledger.missing({ chunkSize: 100, size: 250 })).toEqual([[1, 1]])
  })

  it('stays doubtful when the proof fails too', async () => {
    const { storage, files, manifest, folder } = await failedCompletion()
    files.fault = ({ name, path }) => (name === 'datasync' && path.endsWith('/data') ? systemError('EIO') : undefined)
    await expect(storage.load(manifest.id)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    files.fault = () => undefined
    const before = files.count('writev', `${folder}/data`)
    await storage.record(manifest.id, { type: 'completing' })
    expect(files.count('writev', `${folder}/data`) - before).toBe(3)
  })

  it('does not assemble', async () => {
    const { storage, files, manifest } = await setUp()
    await putChunk(storage, await mustLoad(storage, manifest.id), bytes, 2, 20)
    await storage.record(manifest.id, { type: 'completing' })
    // Who recorded that may have synced nothing.
    await storage.close()
    const next = await openOn(files)
    const upload = await mustLoad(next, manifest.id)
    files.fault = ({ name, path }) => (name === 'datasync' && path.endsWith('/data') ? systemError('EIO') : undefined)
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(next.assemble(upload)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    }
    await expect(next.openFile(manifest.fileId, 0, 1)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    files.fault = () => undefined
    await next.assemble(upload)
    expect(await gather(await next.openFile(manifest.fileId, 0, 250))).toEqual(bytes)
    expect(files.openBesidesJournals).toBe(0)
  })
})

describe('an upload that was made, and has no line yet', () => {
  it('is loaded by a next process without a write, and takes its first line', async () => {
    const memory = new MemoryFiles()
    const first = await openOn(memory)
    const manifest = testManifest()
    await first.create(manifest)
    const killed = memory.kill()
    const files = new FaultyFiles(killed)
    const next = await openOn(files)
    const before = files.count('writev')
    const upload = await mustLoad(next, manifest.id)
    expect(upload.status).toBe('initiated')
    expect(files.count('writev')).toBe(before)
    for (const n of [0, 1, 2]) await putChunk(next, upload, bytes, n)
    const third = new FaultyFiles(killed.kill())
    const last = await openOn(third)
    expect((await mustLoad(last, manifest.id)).ledger.durableBytes).toBe(250)
    // It is trusted: the header says by which boot it was written.
    expect(third.count('read')).toBe(0)
  })
})

describe('a journal that was written under strange circumstances', () => {
  it('is read though a line in it contradicts those before', async () => {
    const { storage, manifest } = await setUp()
    // Storage does not know the rules of lengths: its caller does.
    await storage.record(manifest.id, { type: 'length', size: 7, at: 1 })
    const upload = await mustLoad(storage, manifest.id)
    expect(upload.size).toBe(250)
    expect(chunkOf(upload, bytes, 2)).toHaveLength(50)
  })
})
