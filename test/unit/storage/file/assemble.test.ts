import { describe, expect, it } from 'vitest'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { FaultyFiles, MemoryFiles } from '../../../support/faulty-files.ts'
import { gather, mustLoad, putChunk, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'

const bytes = testBytes(250)

async function setUp() {
  const memory = new MemoryFiles()
  const files = new FaultyFiles(memory)
  const storage = new FileStorage({ directory: '/data', layer: files })
  await storage.open()
  const manifest = testManifest()
  return {
    memory,
    files,
    storage,
    manifest,
    data: `/data/uploads/${manifest.id}/data`,
    file: `/data/files/${manifest.fileId}`,
  }
}

describe('assembling', () => {
  it('cuts off what an aborted chunk of a deferred length left beyond the end', async () => {
    const { storage, memory } = await setUp()
    const manifest = testManifest({ size: null })
    await storage.create(manifest)
    const upload = await mustLoad(storage, manifest.id)
    await putChunk(storage, upload, bytes, 0)
    const aborted = await storage.beginChunk(upload, 1, 0)
    await aborted.write([bytes.subarray(100, 200)])
    // As if its bytes had reached the file before it was aborted.
    const handle = await memory.open(`/data/uploads/${manifest.id}/data`, 'r+')
    await handle.writev([bytes.subarray(100, 200)], 100)
    await aborted.abort()
    await storage.record(manifest.id, { type: 'length', size: 100, at: 1 })
    await storage.record(manifest.id, { type: 'completing' })
    await storage.assemble(await mustLoad(storage, manifest.id))
    expect(await memory.readFile(`/data/files/${manifest.fileId}`)).toEqual(bytes.subarray(0, 100))
  })

  it('fails where the data is shorter than the upload', async () => {
    const { storage, memory, manifest, data } = await setUp()
    const upload = await storeAll(storage, manifest, bytes)
    await storage.record(manifest.id, { type: 'completing' })
    await (await memory.open(data, 'r+')).truncate(249)
    await expect(storage.assemble(upload)).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it('fails, naming what is missing, where neither data nor file is there', async () => {
    const { storage, memory, manifest, data, files } = await setUp()
    const upload = await storeAll(storage, manifest, bytes)
    await storage.record(manifest.id, { type: 'completing' })
    await memory.unlink(data)
    await expect(storage.assemble(upload)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      cause: expect.objectContaining({ message: expect.stringContaining(manifest.id) }),
    })
    expect(files.openBesidesJournals).toBe(0)
  })

  it('leaves a file of another size alone', async () => {
    const { storage, memory, manifest, file } = await setUp()
    const upload = await storeAll(storage, manifest, bytes)
    await storage.record(manifest.id, { type: 'completing' })
    await (await memory.open(file, 'w')).writev([Buffer.from('foreign')], 0)
    // The process that has made the upload knows that it has given its file no name.
    await storage.close()
    const next = new FileStorage({ directory: '/data', layer: memory })
    await next.open()
    await expect(next.assemble(upload)).rejects.toMatchObject({ code: 'INTERNAL' })
    expect((await memory.readFile(file)).toString()).toBe('foreign')
  })

  it('is done where the file stands, and removes what a late writer began', async () => {
    const { storage, memory, manifest, data, file } = await setUp()
    const upload = await storeAll(storage, manifest, bytes)
    await storage.record(manifest.id, { type: 'completing' })
    await storage.assemble(upload)
    await (await memory.open(data, 'w')).writev([Buffer.from('late')], 0)
    await storage.assemble(upload)
    expect(await memory.readFile(file)).toEqual(bytes)
    await expect(memory.stat(data)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('can be taken up again from every call at which it stops', async () => {
    for (let calls = 0; ; calls += 1) {
      const { storage, memory, files, manifest } = await setUp()
      const upload = await storeAll(storage, manifest, bytes)
      await storage.record(manifest.id, { type: 'completing' })
      files.stopAfter(calls)
      const finished = await storage.assemble(upload).then(
        () => true,
        () => false,
      )
      await storage.close().catch(() => {})
      expect(files.openHandles).toBe(0)
      for (const layer of [memory.kill(), memory.powerCut()]) {
        const next = new FileStorage({ directory: '/data', layer })
        await next.open()
        await next.assemble(await mustLoad(next, manifest.id))
        expect(await gather(await next.openFile(manifest.fileId, 0, 250))).toEqual(bytes)
        await next.close()
      }
      if (finished) break
    }
  })

  it('goes on reading an upload whose file is renamed meanwhile', async () => {
    const { storage, manifest } = await setUp()
    const size = 2_500_000
    const large = Buffer.alloc(size, 7)
    const upload = await storeAll(storage, { ...manifest, size, chunkSize: 1_000_000 }, large)
    await storage.record(manifest.id, { type: 'completing' })
    let read = 0
    for await (const piece of storage.read(upload, 0, size)) {
      if (read === 0) await storage.assemble(upload)
      expect(piece.every((byte) => byte === 7)).toBe(true)
      read += piece.length
    }
    expect(read).toBe(size)
    expect((await gather(storage.read(upload, size - 5, size))).toString('hex')).toBe('0707070707')
  })
})
