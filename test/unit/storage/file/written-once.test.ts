import { describe, expect, it } from 'vitest'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { MemoryFiles } from '../../../support/faulty-files.ts'
import { chunkOf, entryOf, gather, mustLoad, tailOf, testBytes, testManifest } from '../../../support/storage-suite.ts'

/** State is behind: it is made anew from storage. */
const BEHIND = { code: 'CHUNKS_MISSING' }

async function setUp() {
  const storage = new FileStorage({ directory: '/data', layer: new MemoryFiles() })
  await storage.open()
  const manifest = testManifest({ chunkSize: 1000, size: 3000 })
  await storage.create(manifest)
  const upload = await mustLoad(storage, manifest.id)
  return { storage, upload, bytes: testBytes(3000), other: Buffer.alloc(3000, 7) }
}

describe('a writer whose lock was lost', () => {
  it('is not joined by another at the same chunk, and what it has recorded is not written over', async () => {
    const { storage, upload, bytes, other } = await setUp()
    const first = await storage.beginChunk(upload, 1, 0)
    await first.write([chunkOf(upload, bytes, 1).subarray(0, 600)])
    // Another waits, and then finds it done.
    const waiting = expect(storage.beginChunk(upload, 1, 0)).rejects.toMatchObject(BEHIND)
    await first.write([chunkOf(upload, bytes, 1).subarray(600)])
    await first.finish(entryOf(1, chunkOf(upload, bytes, 1)))
    await waiting
    // This one looked the upload up before that.
    await expect(storage.beginChunk(upload, 1, 0)).rejects.toMatchObject(BEHIND)
    const beside = await storage.beginChunk(upload, 0, 0)
    await beside.write([chunkOf(upload, other, 0)])
    await beside.finish(entryOf(0, chunkOf(upload, other, 0)))
    const now = await mustLoad(storage, upload.manifest.id)
    expect((await gather(storage.read(now, 1000, 2000))).equals(bytes.subarray(1000, 2000))).toBe(true)
  })

  it('does not write over a tail that another has recorded', async () => {
    const { storage, upload, bytes } = await setUp()
    const first = await storage.beginChunk(upload, 0, 0)
    await first.write([bytes.subarray(0, 500)])
    await first.suspend(tailOf(0, bytes.subarray(0, 500)))
    await expect(storage.beginChunk(upload, 0, 0)).rejects.toMatchObject(BEHIND)
    await expect(storage.beginChunk(upload, 0, 499)).rejects.toMatchObject(BEHIND)
    const next = await storage.beginChunk(await mustLoad(storage, upload.manifest.id), 0, 500)
    await next.write([bytes.subarray(500, 1000)])
    await next.finish(entryOf(0, bytes.subarray(0, 1000)))
  })

  it('frees the chunk when it gives up', async () => {
    const { storage, upload, bytes } = await setUp()
    const first = await storage.beginChunk(upload, 0, 0)
    await first.write([bytes.subarray(0, 500)])
    await first.abort()
    const second = await storage.beginChunk(upload, 0, 0)
    await second.write([bytes.subarray(0, 1000)])
    await second.finish(entryOf(0, bytes.subarray(0, 1000)))
  })
})
