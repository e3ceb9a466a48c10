import { afterEach, beforeEach, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import type { Tail } from '../../../../src/ledger.ts'
import type { S3Storage } from '../../../../src/storage/s3/index.ts'
import { applyChange, gridOf, type StoredUpload } from '../../../../src/upload.ts'
import { internalError } from '../../../support/faulty-s3.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import {
  chunkOf,
  complete,
  entryOf,
  expectBytes,
  gather,
  mustLoad,
  putChunk,
  sha256,
  tailOf,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB
const bytes = testBytes(CHUNK + 1000)

describeWithS3('the tail of an upload', () => {
  let place: S3Place
  let storage: S3Storage

  beforeEach(async () => {
    place = await S3Place.make()
    storage = await place.open()
  })

  afterEach(() => place.leave())

  async function begin(size: number | null = bytes.length): Promise<StoredUpload> {
    const manifest = testManifest({ chunkSize: CHUNK, size })
    await storage.create(manifest)
    return await mustLoad(storage, manifest.id)
  }

  /** Appends to chunk `n` up to `to`, as the append of one request does. */
  async function append(node: S3Storage, upload: StoredUpload, n: number, to: number, content = bytes): Promise<Tail> {
    const from = upload.ledger.tail?.size ?? 0
    const chunk = content.subarray(n * CHUNK)
    const writer = await node.beginChunk(upload, n, from)
    await writer.write([chunk.subarray(from, to)])
    const tail = tailOf(n, chunk.subarray(0, to))
    await writer.suspend(tail)
    return tail
  }

  const tailKeys = async () => (await place.keys()).filter((key) => key.includes('/tail/'))

  it('costs one request for every append', async () => {
    const upload = await begin()
    for (const to of [100, 5000, 70_000]) {
      const before = place.s3.calls.length
      const tail = await append(storage, upload, 0, to)
      expect(place.s3.names(before)).toEqual(['PutObject'])
      applyChange(upload, { type: 'tail', tail })
    }
    const loaded = await mustLoad(await place.open(), upload.manifest.id)
    expect(loaded.ledger.tail).toEqual(tailOf(0, bytes.subarray(0, 70_000)))
    for (const [start, end] of [
      [0, 70_000],
      [99, 101],
      [4999, 5000],
      [6000, 70_000],
      [3, 3],
    ] as const) {
      expectBytes(await gather(storage.read(loaded, start, end)), bytes.subarray(start, end))
    }
  })

  it('is in the chunk that goes on from it, on any node, and leaves nothing beside it', async () => {
    const upload = await begin()
    for (const to of [1, 2, 5000]) applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, to) })
    const other = await place.open()
    await putChunk(other, await mustLoad(other, upload.manifest.id), bytes, 0, 5000)
    await other.close()
    expect(await tailKeys()).toEqual([])
    await putChunk(storage, upload, bytes, 1)
    const done = await complete(storage, await mustLoad(storage, upload.manifest.id))
    expectBytes(await gather(storage.read(done, 0, bytes.length)), bytes)
  })

  it('of many segments is gathered into one, so that reading it never takes many requests', async () => {
    const upload = await begin()
    let most = 0
    for (let to = 10; to <= 700; to += 10) {
      applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, to) })
      if (to % 100 !== 0) continue
      expect((await mustLoad(storage, upload.manifest.id)).ledger.tail?.size).toBe(to)
      most = Math.max(most, (await tailKeys()).length)
    }
    expect(most).toBeLessThanOrEqual(70)
    await storage.close()
    expect((await tailKeys()).length).toBeLessThan(30)
    const other = await place.open()
    const loaded = await mustLoad(other, upload.manifest.id)
    expectBytes(await gather(other.read(loaded, 0, 700)), bytes.subarray(0, 700))
  })

  it('is that of the first of two writers who believed that it was theirs, however long the other one is', async () => {
    const upload = await begin()
    const [other, third] = [await place.open(), await place.open()]
    for (const [to, others] of [
      [300, 400],
      [500, 501],
    ] as const) {
      const stale = await mustLoad(other, upload.manifest.id)
      applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, to) })
      await expect(append(other, stale, 0, others, testBytes(CHUNK, 5))).rejects.toMatchObject({
        code: 'UPLOAD_LOCKED',
      })
      await expect(append(other, stale, 0, to - 1)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      expect((await mustLoad(third, upload.manifest.id)).ledger.tail).toEqual(upload.ledger.tail)
    }
    await putChunk(storage, upload, bytes, 0, 500)
    expect((await mustLoad(other, upload.manifest.id)).ledger.chunks.get(0)?.sha256).toBe(
      sha256(chunkOf(upload, bytes, 0)),
    )
  })

  it('is that of one of many who go on from it at once', async () => {
    const upload = await begin()
    applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, 100) })
    const contents = Array.from({ length: 8 }, (_, n) =>
      Buffer.concat([bytes.subarray(0, 100), testBytes(CHUNK, n + 2)]),
    )
    const nodes = await Promise.all(contents.map(() => place.open()))
    const ends = await Promise.allSettled(
      nodes.map(async (node, n) =>
        append(node, await mustLoad(storage, upload.manifest.id), 0, 200 + n, contents[n] ?? bytes),
      ),
    )
    const won = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
    expect(won).toHaveLength(1)
    expect((await mustLoad(storage, upload.manifest.id)).ledger.tail).toEqual(won[0])
  })

  it('goes on behind what was stored of it and not acknowledged', async () => {
    const upload = await begin()
    applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, 100) })
    const other = await place.open()
    // Its ledger never learns of these; what a client sends again ends at the same place, and then beyond it.
    for (const [node, to] of [
      [storage, 300],
      [other, 300],
      [other, 420],
      [storage, 900],
    ] as const) {
      expect(await append(node, upload, 0, to)).toEqual(tailOf(0, bytes.subarray(0, to)))
      expect((await mustLoad(other, upload.manifest.id)).ledger.tail).toEqual(tailOf(0, bytes.subarray(0, to)))
    }
    expect(await tailKeys()).toHaveLength(4)
    applyChange(upload, { type: 'tail', tail: tailOf(0, bytes.subarray(0, 900)) })
    expectBytes(await gather(storage.read(upload, 0, 900)), bytes.subarray(0, 900))
  })

  it('is kept where the answer to its request was lost', async () => {
    const upload = await begin()
    for (const to of [100, 200]) {
      place.s3.failNext('PutObject', { when: 'after', error: internalError() })
      const before = place.s3.calls.length
      applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, to) })
      expect(place.s3.names(before)).toEqual(['PutObject', 'PutObject', 'HeadObject'])
    }
    expect((await mustLoad(storage, upload.manifest.id)).ledger.tail?.size).toBe(200)
  })

  it('of many segments is not that of somebody who believes in one of the deleted ones', async () => {
    const upload = await begin()
    const [other, stale] = [await place.open(), await mustLoad(storage, upload.manifest.id)]
    for (let to = 10; to <= 670; to += 10) {
      applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, to) })
    }
    await storage.close()
    expect(await tailKeys()).toHaveLength(3)
    await append(other, stale, 0, 5000, testBytes(CHUNK, 5))
    const loaded = await mustLoad(other, upload.manifest.id)
    expect(loaded.ledger.tail).toEqual(upload.ledger.tail)
    await putChunk(other, loaded, bytes, 0, 670)
    expect((await mustLoad(other, upload.manifest.id)).ledger.chunks.get(0)?.sha256).toBe(
      sha256(chunkOf(upload, bytes, 0)),
    )
    await other.close()
    expect(await tailKeys()).toEqual([])
  })

  it('is said to be missing where another node has gone on from it', async () => {
    const upload = await begin()
    applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, 300) })
    const other = await place.open()
    await putChunk(other, await mustLoad(other, upload.manifest.id), bytes, 0, 300)
    await other.close()
    // This node remembers the tail, and where it was.
    const missing = { code: 'CHUNKS_MISSING', details: { missing: [[0, 0]] } }
    await expect(gather(storage.read(upload, 0, 300))).rejects.toMatchObject(missing)
    await expect(putChunk(storage, upload, bytes, 0, 300)).rejects.toMatchObject(missing)
    expect((await mustLoad(storage, upload.manifest.id)).ledger.run).toBe(1)
  })

  it('never becomes a chunk of other bytes than were sent', async () => {
    const upload = await begin()
    const tail = await append(storage, upload, 0, 300)
    applyChange(upload, { type: 'tail', tail })
    // Something changes the segment's bytes; its length stays.
    const [key = ''] = await tailKeys()
    await place.put(key, testBytes(300, 7))
    for (const size of [CHUNK, 600]) {
      const writer = await storage.beginChunk(upload, 0, 300)
      await writer.write([bytes.subarray(300, size)])
      const whole = bytes.subarray(0, size)
      const end = size === CHUNK ? writer.finish(entryOf(0, whole)) : writer.suspend(tailOf(0, whole))
      if (size === CHUNK) await expect(end).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      else await end
    }
    expect((await mustLoad(storage, upload.manifest.id)).ledger.chunks.size).toBe(0)
  })

  it('is not there when its request fails, and the one before it is', async () => {
    const quick = await place.open({ retry: { attempts: 1 } })
    const upload = await begin()
    applyChange(upload, { type: 'tail', tail: await append(quick, upload, 0, 300) })
    place.s3.failNext('PutObject', { when: 'before', error: internalError() })
    await expect(append(quick, upload, 0, 400)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect((await mustLoad(quick, upload.manifest.id)).ledger.tail?.size).toBe(300)
  })

  it('becomes the last chunk by a length, and survives a kill at any point of that', async () => {
    const upload = await begin(null)
    const { id } = upload.manifest
    await putChunk(storage, upload, bytes, 0)
    applyChange(upload, { type: 'chunk', entry: entryOf(0, bytes.subarray(0, CHUNK)) })
    for (const to of [10, 1000]) applyChange(upload, { type: 'tail', tail: await append(storage, upload, 1, to) })
    await storage.record(id, { type: 'length', size: bytes.length, at: 4 })
    await storage.record(id, { type: 'completing' })
    const completing = await mustLoad(storage, id)
    expect(completing.status).toBe('completing')
    expect(completing.ledger.chunks.get(1)).toEqual({ ...tailOf(1, bytes.subarray(CHUNK)), at: 4 })

    // Killed after the segments were sent as a part, before the object is made of it.
    place.s3.plan = ({ name }) =>
      name === 'CompleteMultipartUpload' ? { when: 'before', error: internalError() } : null
    await expect(storage.assemble(completing)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    place.s3.plan = () => null
    const other = await place.open()
    const again = await mustLoad(other, id)
    expect(again.ledger.chunks.get(1)?.etag).toBeDefined()
    await other.assemble(again)
    await other.record(id, { type: 'ended', status: 'uploaded', at: 5 })
    await other.close()
    expectBytes(await gather(storage.read(await mustLoad(storage, id), 0, bytes.length)), bytes)
    expect(await tailKeys()).toEqual([])
  })

  it('stays until the file is made while the length is deferred', async () => {
    const upload = await begin(null)
    applyChange(upload, { type: 'tail', tail: await append(storage, upload, 0, 10) })
    await putChunk(storage, upload, bytes, 0, 10)
    await storage.close()
    expect(await tailKeys()).toHaveLength(1)
  })
})

describeWithS3('the length of an upload', () => {
  let place: S3Place
  let storage: S3Storage

  beforeEach(async () => {
    place = await S3Place.make()
    storage = await place.open()
  })

  afterEach(() => place.leave())

  const lengthOf = (size: number) => ({ type: 'length', size, at: 4 }) as const

  async function begin(): Promise<StoredUpload> {
    const manifest = testManifest({ chunkSize: CHUNK, size: null })
    await storage.create(manifest)
    return await mustLoad(storage, manifest.id)
  }

  it('is the first that was declared', async () => {
    const { id } = (await begin()).manifest
    await storage.record(id, lengthOf(CHUNK + 7))
    await storage.record(id, lengthOf(CHUNK + 7))
    await expect(storage.record(id, lengthOf(CHUNK + 8))).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect((await mustLoad(storage, id)).size).toBe(CHUNK + 7)
  })

  it('is not less than what the bucket has, though state may have lost it', async () => {
    const { id } = (await begin()).manifest
    const upload = await mustLoad(storage, id)
    await putChunk(storage, upload, testBytes(CHUNK * 2), 1)
    for (const size of [0, 5, CHUNK, CHUNK * 2 - 1]) {
      await expect(storage.record(id, lengthOf(size))).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    }
    await storage.record(id, lengthOf(CHUNK * 2))
    expect(gridOf(await mustLoad(storage, id)).size).toBe(CHUNK * 2)
  })

  it('is not less than a tail', async () => {
    const { id } = (await begin()).manifest
    const writer = await storage.beginChunk(await mustLoad(storage, id), 0, 0)
    await writer.write([bytes.subarray(0, 100)])
    await writer.suspend(tailOf(0, bytes.subarray(0, 100)))
    await expect(storage.record(id, lengthOf(99))).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await storage.record(id, lengthOf(100))
  })
})
