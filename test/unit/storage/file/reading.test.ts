import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { FaultyFiles, MemoryFiles, systemError } from '../../../support/faulty-files.ts'
import { complete, gather, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const size = 2 * MIB + 777
const bytes = testBytes(size)

async function setUp() {
  const memory = new MemoryFiles()
  const files = new FaultyFiles(memory)
  const storage = new FileStorage({ directory: '/data', layer: files })
  await storage.open()
  const upload = await storeAll(storage, testManifest({ size, chunkSize: size }), bytes)
  return { memory, files, storage, upload, fileId: upload.manifest.fileId }
}

describe('reading an upload', () => {
  it('gives pieces of 1 MiB at most, and leaves no handle, read to the end or not', async () => {
    const { storage, upload, files } = await setUp()
    const sizes: number[] = []
    for await (const piece of storage.read(upload, 5, size)) sizes.push(piece.length)
    expect(sizes).toEqual([MIB, MIB, 772])
    for await (const piece of storage.read(upload, 0, size)) if (piece.length > 0) break
    expect(files.openBesidesJournals).toBe(0)
  })

  it('fails where the bytes are not there, and leaves no handle', async () => {
    const { storage, upload, files } = await setUp()
    await expect(gather(storage.read(upload, size - 1, size + 1))).rejects.toMatchObject({ code: 'INTERNAL' })
    files.fault = ({ name }) => (name === 'read' ? systemError('EIO') : undefined)
    await expect(gather(storage.read(upload, 0, 1))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(files.openBesidesJournals).toBe(0)
  })
})

describe('the files that the bytes of an upload may be in', () => {
  it('are the one they are written to, and the one they are finished as', async () => {
    const storage = new FileStorage({ directory: await tempDir() })
    await storage.open()
    onTestFinished(() => storage.close())
    const upload = await storeAll(storage, testManifest({ size, chunkSize: size }), bytes)
    const [data = '', file = '', ...others] = storage.paths(upload)
    expect(others).toEqual([])
    expect((await readFile(data)).equals(bytes)).toBe(true)
    const finished = await complete(storage, upload)
    expect((await readFile(file)).equals(bytes)).toBe(true)
    expect(storage.paths(finished)).toEqual([file])
    await expect(readFile(data)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('are one for a part, which never moves', async () => {
    const storage = new FileStorage({ directory: await tempDir() })
    await storage.open()
    onTestFinished(() => storage.close())
    const manifest = testManifest({ size, chunkSize: size, concatenation: { kind: 'partial' } })
    const part = await storeAll(storage, manifest, bytes)
    expect(storage.paths(part)).toHaveLength(1)
    expect((await readFile(storage.paths(part)[0] ?? '')).equals(bytes)).toBe(true)
  })
})

describe('a stream of a finished file', () => {
  it('gives exactly the bytes asked for, and closes', async () => {
    const { storage, upload, files, fileId } = await setUp()
    await complete(storage, upload)
    for (const [start, end] of [
      [0, size],
      [1, 2],
      [size - 300_000, size],
      [9, 9],
    ] as const) {
      const read = await gather(await storage.openFile(fileId, start, end))
      expect(read.equals(bytes.subarray(start, end))).toBe(true)
    }
    expect(files.openBesidesJournals).toBe(0)
  })

  it('leaves no handle when it is destroyed before, while or after it is read', async () => {
    const { storage, upload, files, fileId } = await setUp()
    await complete(storage, upload)
    const unread = await storage.openFile(fileId, 0, size)
    unread.destroy()
    await once(unread, 'close')
    const reading = await storage.openFile(fileId, 0, size)
    reading.resume()
    reading.destroy()
    await once(reading, 'close')
    const begun = await storage.openFile(fileId, 0, size)
    await once(begun, 'readable')
    begun.destroy()
    await once(begun, 'close')
    expect(files.openBesidesJournals).toBe(0)
  })

  it('ends with an error where the disk fails, and leaves no handle', async () => {
    const { storage, upload, files, fileId } = await setUp()
    await complete(storage, upload)
    files.fault = ({ name }) => (name === 'read' ? systemError('EIO') : undefined)
    const stream = await storage.openFile(fileId, 0, size)
    await expect(gather(stream)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(stream.closed).toBe(true)
    expect(files.openBesidesJournals).toBe(0)
  })
})
