import { createHash, randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chunkLength, chunkStart } from '../../src/grid.ts'
import type { ChunkEntry, Tail } from '../../src/ledger.ts'
import { MemoryHold } from '../../src/storage/memory-hold.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { applyChange, gridOf, type Manifest, type StoredUpload } from '../../src/upload.ts'

/** What a suite works on: a storage that was opened, and how to get rid of it. */
export interface StorageUnderTest {
  readonly storage: Storage
  /** Opens the same place anew, as a next process would, after this storage was closed. */
  readonly reopen: () => Promise<Storage>
  readonly remove: () => Promise<void>
}

/** SHA-256 in hex. */
export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes that differ at every place one is likely to mix up. */
export function testBytes(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size)
  let value = seed
  for (let at = 0; at < size; at += 1) {
    value = (Math.imul(value, 1103515245) + 12345) >>> 0
    bytes[at] = value >>> 16
  }
  return bytes
}

/** A manifest with the fields a test cares about. */
export function testManifest(fields: Partial<Manifest> = {}): Manifest {
  return {
    version: 1,
    id: randomUUID(),
    fileId: randomUUID(),
    owner: 'someone',
    fileName: 'film.mp4',
    contentType: 'video/mp4',
    metadata: { album: 'summer', tags: ['a', 1, null] },
    attributes: { 'tus.metadata': 'filename ZmlsbQ==' },
    chunkSize: 100,
    size: 250,
    checksum: null,
    createdAt: 1_700_000_000_000,
    ...fields,
  }
}

/** The stretch of `bytes` that is chunk n. */
export function chunkOf(upload: StoredUpload, bytes: Buffer, n: number): Buffer {
  const start = chunkStart(gridOf(upload), n)
  return bytes.subarray(start, start + chunkLength(gridOf(upload), n))
}

/** The entry of a chunk with these bytes. */
export function entryOf(number: number, bytes: Buffer): ChunkEntry {
  return { number, size: bytes.length, sha256: sha256(bytes), at: 1_700_000_000_001 }
}

/** The tail with these bytes. */
export function tailOf(number: number, bytes: Buffer): Tail {
  return { number, size: bytes.length, sha256: sha256(bytes) }
}

/** Writes and records chunk n of a file with these bytes, after `from` bytes of it that are a tail. */
export async function putChunk(
  storage: Storage,
  upload: StoredUpload,
  bytes: Buffer,
  n: number,
  from = 0,
): Promise<ChunkEntry> {
  const chunk = chunkOf(upload, bytes, n)
  const entry = entryOf(n, chunk)
  const writer = await storage.beginChunk(upload, n, from)
  const middle = from + Math.floor((chunk.length - from) / 2)
  await writer.write([chunk.subarray(from, middle)])
  await writer.write([chunk.subarray(middle)])
  await writer.finish(entry)
  storage.recorded(upload, n)
  return entry
}

/** Fails where two buffers differ, and says where: millions of bytes are not printed. */
export function expectBytes(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return
  const at = actual.findIndex((byte, index) => byte !== expected[index])
  expect.fail(`${actual.length} bytes are not the ${expected.length} that were expected, from byte ${at} on.`)
}

/** Everything an iterable yields, as one buffer. */
export async function gather(pieces: AsyncIterable<unknown>): Promise<Buffer> {
  const buffers: Buffer[] = []
  for await (const piece of pieces) {
    if (!Buffer.isBuffer(piece)) throw new Error('A piece is not a buffer.')
    buffers.push(piece)
  }
  return Buffer.concat(buffers)
}

/** What `load` knows, or a failed test. */
export async function mustLoad(storage: Storage, id: string): Promise<StoredUpload> {
  const upload = await storage.load(id)
  if (upload === null) throw new Error(`Upload ${id} is not there.`)
  return upload
}

/** Creates an upload and stores all of its chunks. */
export async function storeAll(storage: Storage, manifest: Manifest, bytes: Buffer): Promise<StoredUpload> {
  await storage.create(manifest)
  const upload = await mustLoad(storage, manifest.id)
  for (let n = 0; n * manifest.chunkSize < bytes.length; n += 1) await putChunk(storage, upload, bytes, n)
  return await mustLoad(storage, manifest.id)
}

/** Takes an upload whose chunks are stored to its end. */
export async function complete(storage: Storage, upload: StoredUpload): Promise<StoredUpload> {
  const { id } = upload.manifest
  await storage.record(id, { type: 'completing' })
  const completing = applyChange(upload, { type: 'completing' })
  await storage.assemble(completing)
  await storage.record(id, { type: 'ended', status: 'uploaded', at: 1_700_000_000_002 })
  return applyChange(completing, { type: 'ended', status: 'uploaded', at: 1_700_000_000_002 })
}

/** What every storage must do. `chunkSize` is one the storage takes; files of a test have two and a half chunks. */
export function describeStorage(name: string, make: () => Promise<StorageUnderTest>, chunkSize = 100): void {
  describe(name, () => {
    let made: StorageUnderTest
    let storage: Storage
    const size = chunkSize * 2 + Math.ceil(chunkSize / 2)
    const bytes = testBytes(size)
    const manifestOf = (fields: Partial<Manifest> = {}) => testManifest({ chunkSize, size, ...fields })

    async function begin(fields: Partial<Manifest> = {}): Promise<StoredUpload> {
      const manifest = manifestOf(fields)
      await storage.create(manifest)
      return await mustLoad(storage, manifest.id)
    }

    async function reopen(): Promise<void> {
      await storage.close()
      storage = await made.reopen()
    }

    /** An upload that has all its chunks, in a state in which its bytes can be read. */
    const readable = (upload: StoredUpload) =>
      storage.readsUnfinished ? Promise.resolve(upload) : complete(storage, upload)

    /** What is durable of a file is as it was sent; where it is not read back before the file is made, by its digest. */
    async function expectChunk(upload: StoredUpload, n: number): Promise<void> {
      const chunk = chunkOf(upload, bytes, n)
      expect(upload.ledger.chunks.get(n)).toMatchObject({ number: n, size: chunk.length, sha256: sha256(chunk) })
      if (!storage.readsUnfinished) return
      const start = chunkStart(gridOf(upload), n)
      expectBytes(await gather(storage.read(upload, start, start + chunk.length)), chunk)
    }

    beforeEach(async () => {
      made = await make()
      storage = made.storage
    })

    afterEach(async () => {
      await storage.close()
      await made.remove()
    })

    describe('manifests', () => {
      it('returns a manifest as it was created', async () => {
        const manifest = manifestOf({ fileName: 'Übung "7"\n.mp4', metadata: { a: { b: [true, 'ü'] } } })
        expect(await storage.create(manifest)).toBe(true)
        await reopen()
        const upload = await mustLoad(storage, manifest.id)
        expect(upload.manifest).toEqual(manifest)
        expect(upload).toMatchObject({ size, status: 'initiated', endedAt: null, digest: null })
        expect(upload.ledger.durableBytes).toBe(0)
      })

      it('creates an id once, and leaves the first as it is', async () => {
        const manifest = manifestOf()
        expect(await storage.create(manifest)).toBe(true)
        expect(await storage.create({ ...manifest, fileName: 'other' })).toBe(false)
        expect((await mustLoad(storage, manifest.id)).manifest.fileName).toBe(manifest.fileName)
      })

      it('lets one of many creations of an id win', async () => {
        const manifest = manifestOf()
        const made = await Promise.all(Array.from({ length: 8 }, () => storage.create(manifest)))
        expect(made.filter(Boolean)).toHaveLength(1)
      })

      it('knows nothing of an id that was not created', async () => {
        expect(await storage.load(randomUUID())).toBeNull()
      })

      it('takes nothing but an id for an id', async () => {
        for (const id of ['', '.', '..', '../uploads', 'a/b', `${randomUUID()}/..`, `${randomUUID()}\n`, '\0']) {
          expect(await storage.load(id)).toBeNull()
          await expect(storage.openFile(id, 0, 1)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
          expect(await storage.files.get(id)).toBeNull()
          await storage.forget(id)
        }
      })

      it('lists every upload and nothing else', async () => {
        const ids = await Promise.all([begin(), begin(), begin()]).then((all) => all.map((one) => one.manifest.id))
        await storage.claim('key', { id: randomUUID(), fingerprint: 'f', at: 1 }, 0)
        const listed: string[] = []
        for await (const id of storage.list()) listed.push(id)
        expect(listed.toSorted()).toEqual(ids.toSorted())
      })
    })

    describe('chunks', () => {
      it('keeps chunks that arrive in any order', async () => {
        const upload = await begin()
        for (const n of [2, 0, 1]) await putChunk(storage, upload, bytes, n)
        await reopen()
        const loaded = await mustLoad(storage, upload.manifest.id)
        expect(loaded.status).toBe('uploading')
        expect(new Set(loaded.ledger.chunks.keys())).toEqual(new Set([0, 1, 2]))
        for (const n of [0, 1, 2]) await expectChunk(loaded, n)
        expectBytes(await gather(storage.read(await readable(loaded), 0, size)), bytes)
      })

      it('keeps chunks that arrive at the same time', async () => {
        const upload = await begin()
        await Promise.all([0, 1, 2].map((n) => putChunk(storage, upload, bytes, n)))
        const loaded = await mustLoad(storage, upload.manifest.id)
        expect(loaded.ledger.run).toBe(3)
        expectBytes(await gather(storage.read(await readable(loaded), 0, size)), bytes)
      })

      it('takes a chunk in many small buffers and in one', async () => {
        const upload = await begin()
        const small = await storage.beginChunk(upload, 0, 0)
        for (const byte of chunkOf(upload, bytes, 0).subarray(0, 50)) await small.write([Buffer.of(byte)])
        await small.write([Buffer.alloc(0)])
        await small.write([])
        await small.write([chunkOf(upload, bytes, 0).subarray(50)])
        await small.finish(entryOf(0, chunkOf(upload, bytes, 0)))
        await expectChunk(await mustLoad(storage, upload.manifest.id), 0)
      })

      it('reads any stretch of what is durable', async () => {
        const upload = await readable(await storeAll(storage, manifestOf(), bytes))
        const stretches = [
          [0, 1],
          [chunkSize - 1, chunkSize + 1],
          [7, 7],
          [size - 3, size],
        ] as const
        for (const [start, end] of stretches) {
          expectBytes(await gather(storage.read(upload, start, end)), bytes.subarray(start, end))
        }
      })

      it('keeps nothing of an aborted chunk', async () => {
        const upload = await begin()
        const writer = await storage.beginChunk(upload, 0, 0)
        await writer.write([chunkOf(upload, bytes, 0)])
        await writer.abort()
        await writer.abort()
        await reopen()
        const loaded = await mustLoad(storage, upload.manifest.id)
        expect(loaded.status).toBe('initiated')
        expect(loaded.ledger.durableBytes).toBe(0)
      })

      it('takes a chunk after an aborted one with other bytes', async () => {
        const upload = await begin()
        const writer = await storage.beginChunk(upload, 2, 0)
        await writer.write([Buffer.alloc(10, 0xff)])
        await writer.abort()
        for (const n of [0, 1, 2]) await putChunk(storage, upload, bytes, n)
        const loaded = await readable(await mustLoad(storage, upload.manifest.id))
        expectBytes(await gather(storage.read(loaded, 0, size)), bytes)
      })

      it('returns the entry that it recorded', async () => {
        const upload = await begin()
        const chunk = chunkOf(upload, bytes, 1)
        const writer = await storage.beginChunk(upload, 1, 0)
        await writer.write([chunk])
        const recorded = await writer.finish(entryOf(1, chunk))
        expect(recorded).toMatchObject(entryOf(1, chunk))
        const { etag } = (await mustLoad(storage, upload.manifest.id)).ledger.chunks.get(1) ?? {}
        expect(recorded.etag).toBe(etag)
      })

      it('drops the hold it was given, unless the chunk was finished', async () => {
        const upload = await begin()
        const [first, second] = [chunkOf(upload, bytes, 0), chunkOf(upload, bytes, 1)]
        const begun = async (number: number, given: Buffer) => {
          const hold = new WatchedHold()
          const writer = await storage.beginChunk(upload, number, 0, { hold })
          await writer.write([given])
          if (storage.holdsChunks) expect(hold.size).toBeGreaterThan(0)
          return { hold, writer }
        }
        const dropped = storage.holdsChunks ? 1 : 0
        const aborted = await begun(0, first.subarray(0, 10))
        await aborted.writer.abort()
        expect(aborted.hold.drops).toBe(dropped)
        const suspended = await begun(0, first.subarray(0, 10))
        await suspended.writer.suspend(tailOf(0, first.subarray(0, 10)))
        expect(suspended.hold.drops).toBe(dropped)
        // What was finished may have to be looked at once more: whoever gave the hold drops it.
        const finished = await begun(1, second)
        await finished.writer.finish(entryOf(1, second))
        expect(finished.hold.drops).toBe(0)
      })

      it('refuses more bytes than the chunk has, fewer at its end, and chunks outside the grid', async () => {
        const upload = await begin()
        const writer = await storage.beginChunk(upload, 2, 0)
        await expect(writer.write([Buffer.alloc(chunkSize)])).rejects.toThrow(/bytes/)
        await writer.write([chunkOf(upload, bytes, 2).subarray(1)])
        await expect(writer.finish(entryOf(2, chunkOf(upload, bytes, 2)))).rejects.toThrow(/bytes/)
        await writer.abort()
        for (const n of [3, -1, 0.5]) {
          await expect(storage.beginChunk(upload, n, 0)).rejects.toMatchObject({ code: 'INVALID_CHUNK_NUMBER' })
        }
      })
    })

    describe('tails', () => {
      it('continues a tail, again and again, until the chunk is whole', async () => {
        let upload = await begin()
        const chunk = chunkOf(upload, bytes, 0)
        const steps = [0, 1, 17, chunkSize - 1]
        for (const [index, to] of steps.slice(1).entries()) {
          const writer = await storage.beginChunk(upload, 0, steps[index] ?? 0)
          await writer.write([chunk.subarray(steps[index], to)])
          await writer.suspend(tailOf(0, chunk.subarray(0, to)))
          await reopen()
          upload = await mustLoad(storage, upload.manifest.id)
          expect(upload.ledger.tail).toEqual(tailOf(0, chunk.subarray(0, to)))
          expectBytes(await gather(storage.read(upload, 0, to)), chunk.subarray(0, to))
        }
        await putChunk(storage, upload, bytes, 0, chunkSize - 1)
        upload = await mustLoad(storage, upload.manifest.id)
        expect(upload.ledger.tail).toBeNull()
        expect(upload.ledger.run).toBe(1)
        await expectChunk(upload, 0)
      })

      it('keeps a tail when the writer after it aborts', async () => {
        const upload = await begin()
        const chunk = chunkOf(upload, bytes, 0)
        const writer = await storage.beginChunk(upload, 0, 0)
        await writer.write([chunk.subarray(0, 40)])
        await writer.suspend(tailOf(0, chunk.subarray(0, 40)))
        const next = await storage.beginChunk(upload, 0, 40)
        await next.write([chunk.subarray(40)])
        await next.abort()
        const loaded = await mustLoad(storage, upload.manifest.id)
        expect(loaded.ledger.tail?.size).toBe(40)
        expect(await gather(storage.read(loaded, 0, 40))).toEqual(chunk.subarray(0, 40))
      })

      it('makes a tail the last chunk when the length says so', async () => {
        const upload = await begin({ size: null })
        await putChunk(storage, upload, bytes, 0)
        const part = bytes.subarray(chunkSize, chunkSize + 30)
        const writer = await storage.beginChunk(upload, 1, 0)
        await writer.write([part])
        await writer.suspend(tailOf(1, part))
        await storage.record(upload.manifest.id, { type: 'length', size: chunkSize + 30, at: 5 })
        await reopen()
        const loaded = await mustLoad(storage, upload.manifest.id)
        expect(loaded.size).toBe(chunkSize + 30)
        expect(loaded.ledger.isFull(gridOf(loaded))).toBe(true)
        const done = await complete(storage, loaded)
        expectBytes(await gather(storage.read(done, 0, chunkSize + 30)), bytes.subarray(0, chunkSize + 30))
      })
    })

    describe('ends', () => {
      it('assembles the whole file, as often as it is asked to', async () => {
        const upload = await storeAll(storage, manifestOf(), bytes)
        const { id, fileId } = upload.manifest
        await storage.record(id, { type: 'completing' })
        const completing = await mustLoad(storage, id)
        expect(completing.status).toBe('completing')
        await storage.assemble(completing)
        await storage.assemble(completing)
        await Promise.all([storage.assemble(completing), storage.assemble(completing)])
        await storage.record(id, { type: 'ended', status: 'uploaded', at: 7 })
        await storage.assemble(await mustLoad(storage, id))
        await reopen()
        expect(await mustLoad(storage, id)).toMatchObject({ status: 'uploaded', endedAt: 7 })
        expectBytes(await gather(await storage.openFile(fileId, 0, size)), bytes)
        expect(await gather(await storage.openFile(fileId, 10, 20))).toEqual(bytes.subarray(10, 20))
        expectBytes(await gather(storage.read(await mustLoad(storage, id), 0, size)), bytes)
      })

      it('assembles after a restart between completing and the file', async () => {
        const upload = await storeAll(storage, manifestOf(), bytes)
        await storage.record(upload.manifest.id, { type: 'completing' })
        await reopen()
        await storage.assemble(await mustLoad(storage, upload.manifest.id))
        await storage.record(upload.manifest.id, { type: 'ended', status: 'uploaded', at: 7 })
        expectBytes(await gather(await storage.openFile(upload.manifest.fileId, 0, size)), bytes)
      })

      it('makes a file of 0 bytes', async () => {
        const upload = await begin({ size: 0 })
        const done = await complete(storage, upload)
        expect(await gather(await storage.openFile(done.manifest.fileId, 0, 0))).toHaveLength(0)
        expect(await gather(storage.read(done, 0, 0))).toHaveLength(0)
      })

      it('refuses to assemble what is not recorded as completing', async () => {
        const upload = await storeAll(storage, manifestOf(), bytes)
        await expect(storage.assemble(upload)).rejects.toMatchObject({ code: 'INTERNAL' })
        await expect(storage.openFile(upload.manifest.fileId, 0, size)).rejects.toMatchObject({
          code: 'FILE_NOT_FOUND',
        })
      })

      it('refuses to assemble what is not all there', async () => {
        const upload = await begin()
        await putChunk(storage, upload, bytes, 1)
        await expect(storage.assemble(upload)).rejects.toMatchObject({
          code: 'CHUNKS_MISSING',
          details: {
            missing: [
              [0, 0],
              [2, 2],
            ],
          },
        })
      })

      it.each(['cancelled', 'expired', 'failed'] as const)('remembers an upload as %s', async (status) => {
        const upload = await begin()
        await putChunk(storage, upload, bytes, 0)
        await storage.record(upload.manifest.id, { type: 'ended', status, at: 9 })
        const gone = await mustLoad(storage, upload.manifest.id)
        await storage.discard(gone)
        await storage.discard(gone)
        await reopen()
        expect(await mustLoad(storage, upload.manifest.id)).toMatchObject({ status, endedAt: 9 })
      })

      it('keeps the digest', async () => {
        const upload = await storeAll(storage, manifestOf(), bytes)
        await storage.record(upload.manifest.id, { type: 'digest', sha256: sha256(bytes) })
        await reopen()
        expect((await mustLoad(storage, upload.manifest.id)).digest).toBe(sha256(bytes))
      })

      it('takes no byte after an end', async () => {
        const upload = await begin()
        await storage.record(upload.manifest.id, { type: 'ended', status: 'cancelled', at: 9 })
        const gone = await mustLoad(storage, upload.manifest.id)
        await expect(storage.beginChunk(gone, 0, 0)).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED' })
      })

      it('says whether an ended upload has bytes that are to be deleted', async () => {
        const manifest = manifestOf()
        await storage.create(manifest)
        const upload = await mustLoad(storage, manifest.id)
        await putChunk(storage, upload, bytes, 0)
        await storage.record(manifest.id, { type: 'ended', status: 'expired', at: 5 })
        const ended = await mustLoad(storage, manifest.id)
        expect(await storage.hasBytes(ended)).toBe(true)
        await storage.discard(ended)
        expect(await storage.hasBytes(ended)).toBe(false)
      })

      it('deletes a finished file with its record when its upload is discarded', async () => {
        const upload = await storeAll(storage, manifestOf(), bytes)
        const done = await complete(storage, upload)
        const { id, fileId } = done.manifest
        await storage.files.put(recordOf(done))
        await storage.record(id, { type: 'ended', status: 'cancelled', at: 9, ofFile: true })
        await storage.discard(await mustLoad(storage, id))
        await expect(storage.openFile(fileId, 0, 1)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
        expect(await storage.files.get(fileId)).toBeNull()
        expect((await mustLoad(storage, id)).status).toBe('cancelled')
      })

      it('forgets an upload and leaves its finished file', async () => {
        const upload = await storeAll(storage, manifestOf(), bytes)
        const { id, fileId } = upload.manifest
        await complete(storage, upload)
        await storage.forget(id)
        await storage.forget(id)
        expect(await storage.load(id)).toBeNull()
        expect(await gather(storage.list())).toHaveLength(0)
        expectBytes(await gather(await storage.openFile(fileId, 0, size)), bytes)
      })
    })

    describe('parts of files to come', () => {
      const partial = { concatenation: { kind: 'partial' } } as const
      const partOf = async () => complete(storage, await storeAll(storage, manifestOf(partial), bytes))

      /** A file of one chunk more than a part, which begins with it or goes on with it. */
      const finalOf = (part: StoredUpload): Promise<StoredUpload> =>
        begin({
          size: size + chunkSize,
          concatenation: { kind: 'final', parts: [{ id: part.manifest.id, size }] },
        })

      it('keeps what an upload has to do with others', async () => {
        const part = await partOf()
        const final = await finalOf(part)
        await reopen()
        for (const { manifest } of [part, final]) {
          expect((await mustLoad(storage, manifest.id)).manifest).toEqual(manifest)
        }
      })

      it('keeps the bytes of a part, and deletes them with it', async () => {
        const { manifest } = await partOf()
        await reopen()
        const part = await mustLoad(storage, manifest.id)
        expect(part.status).toBe('uploaded')
        expectBytes(await gather(storage.read(part, 0, size)), bytes)
        expectBytes(await gather(storage.read(part, 7, chunkSize + 9)), bytes.subarray(7, chunkSize + 9))
        expect(await storage.files.get(manifest.fileId)).toBeNull()
        await storage.record(manifest.id, { type: 'ended', status: 'expired', at: 9, ofFile: true })
        await storage.discard(await mustLoad(storage, manifest.id))
        expect((await mustLoad(storage, manifest.id)).status).toBe('expired')
        await expect(gather(storage.read(part, 0, size))).rejects.toThrow()
        await storage.forget(manifest.id)
        expect(await storage.load(manifest.id)).toBeNull()
      })

      it.each([
        ['at the same place', 0],
        ['at another place', 1],
        ['from anywhere', Math.ceil(chunkSize / 3)],
      ])('makes a chunk of a part %s, or says that it cannot', async (_, start) => {
        const part = await partOf()
        const final = await finalOf(part)
        const stretch = bytes.subarray(start, start + chunkSize)
        const source = { upload: part, start, end: start + chunkSize }
        const [entry] = await storage.copyChunks(final, [{ number: 0, source, at: 8 }])
        await reopen()
        const loaded = await mustLoad(storage, final.manifest.id)
        if (entry === undefined) {
          expect(loaded.ledger.chunks.size).toBe(0)
          return
        }
        expect(entry).toMatchObject({ number: 0, size: chunkSize, sha256: sha256(stretch) })
        expect(loaded.ledger.chunks.get(0)).toMatchObject({ number: 0, size: chunkSize, sha256: sha256(stretch) })
        expect(loaded.ledger.chunks.get(0)?.etag).toBe(entry.etag)
      })

      it('makes a file of chunks that were copied, and of others', async () => {
        const part = await partOf()
        const final = await finalOf(part)
        const whole = Buffer.concat([bytes, testBytes(chunkSize, 3)])
        for (const number of [0, 1]) {
          const start = number * chunkSize
          const source = { upload: part, start, end: start + chunkSize }
          const copied = await storage.copyChunks(final, [{ number, source, at: 8 }])
          if (copied.length === 0) await putChunk(storage, final, whole, number)
        }
        await reopen()
        const begun = await mustLoad(storage, final.manifest.id)
        for (const number of [2, 3]) await putChunk(storage, begun, whole, number)
        await complete(storage, await mustLoad(storage, final.manifest.id))
        expectBytes(await gather(await storage.openFile(final.manifest.fileId, 0, whole.length)), whole)
        // The part is as it was.
        expectBytes(await gather(storage.read(await mustLoad(storage, part.manifest.id), 0, size)), bytes)
      })

      it('records nothing of a part whose bytes are gone', async () => {
        const part = await partOf()
        const final = await finalOf(part)
        const { id } = part.manifest
        await storage.record(id, { type: 'ended', status: 'cancelled', at: 9, ofFile: true })
        await storage.discard(await mustLoad(storage, id))
        const source = { upload: part, start: 0, end: chunkSize }
        const copied = await storage.copyChunks(final, [{ number: 0, source, at: 8 }]).catch(() => [])
        expect(copied).toEqual([])
        expect((await mustLoad(storage, final.manifest.id)).ledger.chunks.size).toBe(0)
      })

      it('copies no chunk into what has ended, or outside the grid', async () => {
        const part = await partOf()
        const final = await finalOf(part)
        const source = { upload: part, start: 0, end: chunkSize }
        await expect(storage.copyChunks(final, [{ number: 4, source, at: 8 }])).rejects.toMatchObject({
          code: 'INVALID_CHUNK_NUMBER',
        })
        await storage.record(final.manifest.id, { type: 'ended', status: 'cancelled', at: 9 })
        const gone = await mustLoad(storage, final.manifest.id)
        await expect(storage.copyChunks(gone, [{ number: 0, source, at: 8 }])).rejects.toMatchObject({
          code: 'UPLOAD_CANCELLED',
        })
      })
    })

    describe('files', () => {
      it('keeps, replaces and removes records', async () => {
        const upload = await begin()
        const record = recordOf(upload)
        expect(await storage.files.get(record.id)).toBeNull()
        await storage.files.put(record)
        await storage.files.put({ ...record, checksum: sha256(bytes) })
        await reopen()
        expect(await storage.files.get(record.id)).toEqual({ ...record, checksum: sha256(bytes) })
        await storage.files.remove(record.id)
        await storage.files.remove(record.id)
        expect(await storage.files.get(record.id)).toBeNull()
      })

      it('keeps who is to be told of a file, until it was told or given up', async () => {
        const upload = await begin()
        const record = recordOf(upload)
        await storage.files.put(record, ['onCompleted', 'webhook'])
        await reopen()
        expect(await storage.files.owed(record.id)).toEqual({ file: record, receivers: ['onCompleted', 'webhook'] })
        await storage.files.settle(record.id, { onCompleted: 'delivered' })
        await reopen()
        expect(await storage.files.owed(record.id)).toEqual({ file: record, receivers: ['webhook'] })
        // What was told once is never owed again.
        await storage.files.put({ ...record, checksum: sha256(bytes) }, ['onCompleted', 'webhook'])
        await storage.files.settle(record.id, { onCompleted: 'owed' })
        expect((await storage.files.owed(record.id))?.receivers).toEqual(['webhook'])
        await storage.files.settle(record.id, { webhook: 'givenUp' })
        await reopen()
        expect(await storage.files.owed(record.id)).toBeNull()
        expect(await storage.files.get(record.id)).toEqual({ ...record, checksum: sha256(bytes) })
      })

      it('owes nobody anything where nobody was to be told', async () => {
        const record = recordOf(await begin())
        await storage.files.put(record)
        await storage.files.put({ ...record, checksum: sha256(bytes) }, ['webhook'])
        await storage.files.settle(record.id, { webhook: 'delivered' })
        expect(await storage.files.owed(record.id)).toBeNull()
        expect(await storage.files.owed(randomUUID())).toBeNull()
        await storage.files.settle(randomUUID(), { webhook: 'delivered' })
      })

      it('loses nothing where a checksum and a delivery are recorded at the same time', async () => {
        const record = recordOf(await begin())
        await storage.files.put(record, ['onCompleted', 'webhook'])
        await Promise.all([
          storage.files.settle(record.id, { webhook: 'delivered' }),
          storage.files.put({ ...record, checksum: sha256(bytes) }),
          storage.files.settle(record.id, { onCompleted: 'delivered' }),
        ])
        await reopen()
        expect(await storage.files.owed(record.id)).toBeNull()
        expect((await storage.files.get(record.id))?.checksum).toBe(sha256(bytes))
      })

      it('owes nothing of a file that is gone', async () => {
        const done = await complete(storage, await storeAll(storage, manifestOf(), bytes))
        await storage.files.put(recordOf(done), ['webhook'])
        const { id, fileId } = done.manifest
        await storage.record(id, { type: 'ended', status: 'cancelled', at: 9, ofFile: true })
        await storage.discard(await mustLoad(storage, id))
        await storage.files.settle(fileId, { webhook: 'delivered' })
        expect(await storage.files.owed(fileId)).toBeNull()
        expect(await storage.files.get(fileId)).toBeNull()
      })

      it('knows no file that was not made', async () => {
        await expect(storage.openFile(randomUUID(), 0, 1)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
      })

      it('survives readers that leave early', async () => {
        const done = await complete(storage, await storeAll(storage, manifestOf(), bytes))
        for (let time = 0; time < 5; time += 1) {
          const unread = await storage.openFile(done.manifest.fileId, 0, size)
          await new Promise((resolve) => unread.on('close', resolve).destroy())
          for await (const piece of storage.read(done, 0, size)) if (Buffer.isBuffer(piece)) break
        }
        expectBytes(await gather(await storage.openFile(done.manifest.fileId, 0, size)), bytes)
      })
    })

    describe('claims', () => {
      const claimOf = (at: number) => ({ id: randomUUID(), fingerprint: 'print', at })

      it('gives a key to one of many', async () => {
        const claims = Array.from({ length: 10 }, () => claimOf(100))
        const standing = await Promise.all(claims.map((claim) => storage.claim('my key', claim, 0)))
        expect(new Set(standing.map(({ id }) => id)).size).toBe(1)
        await reopen()
        expect(await storage.claim('my key', claimOf(200), 99)).toEqual(standing[0])
      })

      it('gives an old key to one of many', async () => {
        await storage.claim('key', claimOf(100), 0)
        const claims = Array.from({ length: 10 }, () => claimOf(200))
        const standing = await Promise.all(claims.map((claim) => storage.claim('key', claim, 100)))
        expect(new Set(standing.map(({ id }) => id)).size).toBe(1)
        expect(standing[0]?.at).toBe(200)
      })

      it('tells keys apart whatever is in them', async () => {
        const keys = ['a', 'A', '../a', 'a\0b', 'ü'.repeat(500), '']
        const claims = keys.map(() => claimOf(100))
        for (const [index, key] of keys.entries()) {
          expect(await storage.claim(key, claims[index] ?? claimOf(0), 0)).toEqual(claims[index])
        }
      })

      it('sweeps claims made before a time', async () => {
        // A storage may tell when a claim was made by the clock it has itself.
        const now = Date.now()
        const claim = claimOf(now)
        await storage.claim('key', claim, 0)
        await storage.sweep(now - 600_000)
        expect(await storage.claim('key', claimOf(now), 0)).toEqual(claim)
        await storage.sweep(now + 600_000)
        const next = claimOf(now)
        expect(await storage.claim('key', next, 0)).toEqual(next)
      })

      it('tells what a sweep removes, and leaves it until then', async () => {
        const now = Date.now()
        await storage.claim('key', claimOf(now), 0)
        const told = async (before: number) => {
          const leftovers = []
          for await (const { kind, name } of storage.leftovers(before)) leftovers.push({ kind, name })
          return leftovers
        }
        expect(await told(now - 600_000)).toEqual([])
        const [claim] = await told(now + 600_000)
        expect(claim).toMatchObject({ kind: 'claim' })
        expect(await told(now + 600_000)).toEqual([claim])
        const removed: object[] = []
        await storage.sweep(now + 600_000, ({ kind, name }) => removed.push({ kind, name }))
        expect(removed).toEqual([claim])
        expect(await told(now + 600_000)).toEqual([])
      })
    })

    it('draws one secret for all who ask, and keeps it', async () => {
      const drawn = await Promise.all(Array.from({ length: 10 }, () => storage.secret()))
      const [secret = expect.fail()] = drawn
      expect(secret).toHaveLength(32)
      expect(new Set(secret).size).toBeGreaterThan(8)
      for (const one of drawn) expect(one.equals(secret)).toBe(true)
      await storage.sweep(Date.now() + 600_000)
      await reopen()
      expect((await storage.secret()).equals(secret)).toBe(true)
    })

    it('answers when it is asked whether it is there, and closes twice', async () => {
      await storage.check()
      await storage.drain()
      await storage.close()
      await storage.close()
      await expect(storage.load(randomUUID())).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    })
  })
}

/** A hold that counts how often it is dropped. */
class WatchedHold extends MemoryHold {
  drops = 0

  override async drop(): Promise<void> {
    this.drops += 1
    await super.drop()
  }
}

function recordOf(upload: StoredUpload) {
  return {
    id: upload.manifest.fileId,
    uploadId: upload.manifest.id,
    owner: null,
    name: 'ümlaut.mp4',
    size: upload.size ?? 0,
    contentType: 'video/mp4',
    metadata: { a: [1] },
    uploadedAt: 8,
    checksum: null,
  }
}
