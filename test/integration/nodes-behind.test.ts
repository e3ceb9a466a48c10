import { PassThrough, Readable } from 'node:stream'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { createUploads, type Upload, UploadError, type Uploads, type UploadsOptions } from '../../src/index.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import type { CommitOptions } from '../../src/state/state.ts'
import { S3Storage } from '../../src/storage/s3/index.ts'
import type { Change } from '../../src/upload.ts'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { S3Place } from '../support/s3-place.ts'
import { describeWithOwnRedis, startRedis } from '../support/services/own-redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB
const CALLER = { principal: null } as const
const TIMEOUT = { timeout: 60_000 }
const bytes = bytesOf(77, 3 * CHUNK)

/** State of which a commit can be held up, or fail. */
class WatchedState extends RedisState {
  before: (changes: readonly Change[]) => Promise<void> = async () => {}

  override async commit(id: string, changes: readonly Change[], options: CommitOptions): Promise<Upload | null> {
    await this.before(changes)
    return super.commit(id, changes, options)
  }
}

/** Nodes on a Redis and a bucket of their own. */
async function setUp() {
  const server = await startRedis()
  const place = await S3Place.make()
  const connections: Redis[] = []
  const node = async (options: Partial<UploadsOptions> = {}) => {
    const redis = new Redis(server.url).on('error', () => {})
    connections.push(redis)
    const state = new WatchedState({ redis, leaseMs: 1500, commandTimeoutMs: 1000 })
    const retry = { baseMs: 1, longestPauseMs: 5 }
    const storage = new S3Storage({ client: place.client, bucket: place.bucket, retry })
    const uploads = createUploads({ lockWaitMs: 4000, ...options, storage, state })
    await uploads.open()
    onTestFinished(() => uploads.close())
    return { uploads, state, storage, redis }
  }
  onTestFinished(async () => {
    for (const redis of connections) redis.disconnect()
    await server.stop()
  })
  return { node, flush: () => connections[0]?.flushall() }
}

const bodyOf = (content: Buffer): Readable => Readable.from([content], { objectMode: false })
const chunkOf = (number: number): Buffer => bytes.subarray(number * CHUNK, (number + 1) * CHUNK)

async function begin(uploads: Uploads, fileSize: number | null): Promise<string> {
  return (await uploads.create({ fileName: 'a', fileSize }, CALLER)).manifest.id
}

function put(uploads: Uploads, id: string, number: number, content = chunkOf(number)) {
  return uploads.putChunk(id, { number, body: bodyOf(content), contentLength: content.length }, CALLER)
}

function append(uploads: Uploads, id: string, offset: number, content: Buffer, declaredSize?: number) {
  const declared = declaredSize === undefined ? {} : { declaredSize }
  return uploads.append(id, { offset, body: bodyOf(content), contentLength: content.length, ...declared }, CALLER)
}

async function contentOf(uploads: Uploads, id: string): Promise<Buffer> {
  const { open } = await uploads.download(id, CALLER)
  const pieces: Buffer[] = []
  for await (const piece of await open()) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

describeWithOwnRedis('nodes on one Redis', () => {
  describeWithS3('and one S3', () => {
    it('go on from a tail whose chunk was stored and not recorded', TIMEOUT, async () => {
      const { node } = await setUp()
      const [a, b] = [await node(), await node()]
      const id = await begin(a.uploads, bytes.length)
      await append(a.uploads, id, 0, bytes.subarray(0, 2 * MIB))
      a.state.before = async (changes) => {
        if (changes.some(({ type }) => type === 'chunk')) throw new UploadError('STATE_UNAVAILABLE')
      }
      const rest = bytes.subarray(2 * MIB, CHUNK)
      await expect(append(a.uploads, id, 2 * MIB, rest)).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
      // The chunk is there and the segments of its tail go; state knows of the tail only.
      const known = await b.uploads.settle(id, CALLER)
      await b.storage.sweep(0)
      let offset = known.offset
      for (let attempt = 0; offset < bytes.length && attempt < 5; attempt += 1) {
        await append(b.uploads, id, offset, bytes.subarray(offset)).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'UPLOAD_LOCKED' })
        })
        const settled = await b.uploads.settle(id, CALLER)
        expect(settled.offset).toBeGreaterThanOrEqual(offset)
        offset = settled.offset
      }
      expect(sha256Of(await contentOf(b.uploads, id))).toBe(sha256Of(bytes))
    })

    it('take the last chunk of a length that was declared at another', TIMEOUT, async () => {
      const { node } = await setUp()
      const [a, b] = [await node(), await node()]
      const id = await begin(a.uploads, null)
      await put(b.uploads, id, 0)
      const size = 2 * CHUNK + MIB
      await append(a.uploads, id, CHUNK, bytes.subarray(CHUNK, CHUNK + MIB), size)
      await expect(put(b.uploads, id, 2, bytes.subarray(2 * CHUNK, size))).resolves.toMatchObject({
        entry: { number: 2, size: MIB },
      })
    })

    it('take a chunk again that another has found to be lost', TIMEOUT, async () => {
      const { node } = await setUp()
      const [a, b] = [await node(), await node()]
      const id = await begin(a.uploads, 2 * CHUNK)
      const { upload } = await put(b.uploads, id, 0)
      await put(b.uploads, id, 1)
      // One who has lost its lock has put other bytes in the place of chunk 1.
      const other = bytes.subarray(2 * CHUNK)
      const writer = await a.storage.beginChunk(upload, 1, 0)
      await writer.write([other])
      await writer.finish({ number: 1, size: CHUNK, sha256: sha256Of(other), at: 1 })
      await expect(a.uploads.complete(id, {}, CALLER)).rejects.toMatchObject({
        code: 'CHUNKS_MISSING',
        details: { missing: [[1, 1]] },
      })
      // What b remembers of it is asked again: at the latest the second time it is taken.
      await put(b.uploads, id, 1, other).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'UPLOAD_LOCKED' }),
      )
      await put(b.uploads, id, 1, other)
      await b.uploads.complete(id, {}, CALLER)
      expect((await contentOf(a.uploads, id)).equals(Buffer.concat([chunkOf(0), other]))).toBe(true)
    })

    it('tell of a finished file though state has forgotten it in that moment', TIMEOUT, async () => {
      const { node, flush } = await setUp()
      const told: string[] = []
      const a = await node({ onCompleted: ({ id }) => void told.push(id) })
      const id = await begin(a.uploads, MIB)
      a.state.before = async (changes) => {
        if (changes[0]?.type === 'ended') await flush()
      }
      await append(a.uploads, id, 0, bytes.subarray(0, MIB)).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'UPLOAD_LOCKED' }),
      )
      const b = await node()
      expect((await b.uploads.settle(id, CALLER)).upload.status).toBe('uploaded')
      expect(told).toHaveLength(1)
    })

    it('expire nothing after their lease: another has taken bytes meanwhile', TIMEOUT, async () => {
      let now = Date.now()
      const clock = { now: () => now, expiresAfterMs: 60_000 }
      const { node } = await setUp()
      const [a, b] = [await node(clock), await node(clock)]
      const id = await begin(a.uploads, 2 * CHUNK)
      await put(b.uploads, id, 0)
      now += 61_000
      // It is about to look at its lock for the last time, and is stopped there.
      const find = a.state.find.bind(a.state)
      let goOn = (): void => {}
      const stopped = new Promise<void>((reached) => {
        let looks = 0
        a.state.find = async (...args) => {
          const upload = await find(...args)
          looks += 1
          if (looks === 2) {
            reached()
            await new Promise<void>((resolve) => {
              goOn = resolve
            })
          }
          return upload
        }
      })
      const onA = a.uploads.find(id, CALLER).catch((error: unknown) => error)
      await stopped
      a.redis.disconnect()
      await expect
        .poll(
          () =>
            put(b.uploads, id, 1).then(
              () => 'stored',
              () => 'later',
            ),
          { timeout: 15_000 },
        )
        .toBe('stored')
      goOn()
      await onA
      await b.uploads.complete(id, {}, CALLER)
      expect((await contentOf(b.uploads, id)).equals(bytes.subarray(0, 2 * CHUNK))).toBe(true)
    })

    it('go by the time that all share, whatever their own clocks say', TIMEOUT, async () => {
      const DAY = 24 * 3_600_000
      const { node } = await setUp()
      const [a, ahead] = [await node(), await node({ now: () => Date.now() + 1.5 * DAY })]
      const id = await begin(a.uploads, 2 * CHUNK)
      await put(a.uploads, id, 0)
      expect((await ahead.uploads.find(id, CALLER)).status).toBe('uploading')
      const { upload } = await put(ahead.uploads, id, 1)
      expect(upload.expiresAt - Date.now()).toBeLessThan(DAY + 60_000)
      await a.uploads.complete(id, {}, CALLER)
    })

    it('keep the bytes that were acknowledged, whatever one without a lock sends after them', TIMEOUT, async () => {
      const { node } = await setUp()
      const [a, b] = [await node(), await node()]
      const id = await begin(a.uploads, 2 * CHUNK)
      await put(b.uploads, id, 0)
      const other = bytes.subarray(2 * CHUNK)
      const slow = new PassThrough()
      slow.write(other.subarray(0, MIB))
      const onA = a.uploads.putChunk(id, { number: 1, body: slow, contentLength: CHUNK }, CALLER)
      const outcome = onA.then(
        () => 'stored',
        (error: unknown) => (error as UploadError).code,
      )
      await expect.poll(() => slow.readableLength).toBe(0)
      a.redis.disconnect()
      await expect
        .poll(
          () =>
            put(b.uploads, id, 1).then(
              () => 'stored',
              () => 'later',
            ),
          { timeout: 15_000 },
        )
        .toBe('stored')
      slow.end(other.subarray(MIB))
      expect(await outcome).not.toBe('stored')
      await b.redis.flushall()
      await b.uploads.complete(id, {}, CALLER)
      expect((await contentOf(b.uploads, id)).equals(bytes.subarray(0, 2 * CHUNK))).toBe(true)
    })
  })
})
