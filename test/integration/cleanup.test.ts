import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type Storage, UploadError, type Uploads } from '../../src/index.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import { S3Storage } from '../../src/storage/s3/index.ts'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { type Ground, inBucket, makeGround } from '../support/cleanup-ground.ts'
import { concatenate, createPart } from '../support/concatenation.ts'
import { JsonClient } from '../support/json-client.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'
import { encodeMetadata, TusClient } from '../support/tus-client.ts'
import { Redis } from 'ioredis'

const HOUR = 3_600_000
const MIB = 1024 * 1024
const CALLER = { principal: { id: 'ann' } } as const
/** Of what must not be completed: `beforeComplete` says so. */
const VETOED = 'vetoed.bin'

/** Uploads on a ground, by a clock that stands still until it is set. */
interface Served {
  readonly ground: Ground
  readonly uploads: Uploads
  readonly clock: { now: number }
  readonly tus: TusClient
  readonly json: JsonClient
  readonly spool: string
  /** The ids of files, by those of uploads. */
  readonly files: ReadonlyMap<string, string>
  readonly troubles: unknown[]
}

async function serve(ground: Ground): Promise<Served> {
  const clock = { now: Date.now() }
  const spool = await tempDir()
  const troubles: unknown[] = []
  const uploads = createUploads({
    storage: ground.storage,
    state: ground.state,
    chunkSize: ground.chunkSize,
    authenticate: () => CALLER.principal,
    maxUploadsPerUser: 50,
    memoryBudget: 8 * MIB,
    spoolDirectory: spool,
    beforeComplete: ({ manifest }) => {
      if (manifest.fileName === VETOED) throw new UploadError('FORBIDDEN')
    },
    onError: (error) => troubles.push(error),
    now: () => clock.now,
  })
  const files = new Map<string, string>()
  uploads.events.on('created', ({ manifest }) => void files.set(manifest.id, manifest.fileId))
  await uploads.open()
  const server = createServer(holdfast({ uploads, onError: (error) => troubles.push(error) })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const json = new JsonClient(url)
  onTestFinished(async () => {
    json.close()
    server.close()
    await uploads.close()
    server.closeAllConnections()
    await ground.remove()
  })
  return { ground, uploads, clock, tus: new TusClient(url), json, spool, files, troubles }
}

/** Begins one upload of each kind; their paths on the tus face, and the body that is still on its way. */
async function beginAll({ ground, tus, json, uploads }: Served) {
  const { chunkSize } = ground
  const bytes = bytesOf(7, 2 * chunkSize + 100)
  const chunked = await json.begin({ fileSize: bytes.length, chunkSize }, { 'Idempotency-Key': randomUUID() })
  await json.sent(chunked.id, 1, bytes.subarray(chunkSize, 2 * chunkSize))
  const single = await json.begin({ fileSize: 100, chunkSize })
  await json.sent(single.id, 0, bytes.subarray(0, 100))
  const tailed = await tus.create(bytes.length)
  await tus.patch(tailed, 0, bytes.subarray(0, chunkSize + 77))
  const deferred = await tus.create(null)
  await tus.patch(deferred, 0, bytes.subarray(0, 77))
  const parts = [await createPart(tus, bytes.subarray(0, chunkSize + 1)), await createPart(tus, bytes.subarray(0, 9))]
  const metadata = { 'Upload-Metadata': encodeMetadata({ filename: VETOED }) }
  expect((await concatenate(tus, parts, metadata)).status).toBe(403)
  const vetoed = uploadsOf(await uploads.list({}, CALLER)).find(({ upload }) => upload.manifest.fileName === VETOED)
  // Held until it is verified: more than may be in memory.
  const held = await tus.create(3 * MIB)
  const body = tus.open('PATCH', held, {
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': 0,
    'Content-Length': 3 * MIB,
    'Upload-Checksum': `sha1 ${Buffer.alloc(20).toString('base64')}`,
  })
  body.answer.catch(() => {})
  await body.write(Buffer.alloc(2 * MIB))
  await expect.poll(() => uploads.stats().spool.reserved).toBeGreaterThan(0)
  const json2 = [chunked, single].map(({ id }) => `/files/${id}`)
  return { paths: [...json2, tailed, deferred, ...parts, `/files/${vetoed?.upload.manifest.id}`, held], body }
}

function uploadsOf(page: Awaited<ReturnType<Uploads['list']>>) {
  return page.items
}

const idOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** What there is beside `base` and the tombstones of these. */
async function beyond({ ground, files }: Served, base: readonly string[], paths: readonly string[]): Promise<string[]> {
  const stones = paths.flatMap((path) => ground.tombstone(idOf(path), files.get(idOf(path)) ?? ''))
  const known = new Set([...base, ...stones])
  return (await ground.things()).filter((name) => !known.has(name))
}

/** Nothing but tombstones: no byte, no claim on the quota, no room. */
async function expectTombstones(served: Served, base: readonly string[], paths: readonly string[]): Promise<void> {
  const { ground, uploads, spool, tus } = served
  // Locks are gone a second after they were given back.
  await expect.poll(() => beyond(served, base, paths), { timeout: 10_000 }).toEqual([])
  const things = new Set(await ground.things())
  for (const path of paths) {
    const [manifest = ''] = ground.tombstone(idOf(path), '')
    expect(things).toContain(manifest)
    expect((await tus.head(path)).status).toBe(410)
  }
  expect(await ground.state.accounts.page('ann', null, 100)).toEqual([])
  expect(uploads.stats()).toMatchObject({ activeUploads: 0, spool: { reserved: 0 }, memory: { reserved: 0 } })
  expect(await readdir(spool)).toEqual([])
}

/** When keys of these will be gone, ms from now. */
async function lifetimes({ ground: { redis, prefix } }: Served, paths: readonly string[]): Promise<number[]> {
  const keys = await Promise.all(paths.map(async (path) => (await redis?.keys(`${prefix}{${idOf(path)}}:*`)) ?? []))
  const records = keys.flat().filter((key) => !key.endsWith(':merge'))
  return await Promise.all(records.map(async (key) => (await redis?.pttl(key)) ?? 0))
}

const isClaim = (name: string): boolean => /claims\/./.test(name)

async function leavesNothing(ground: Ground): Promise<void> {
  const served = await serve(ground)
  const { uploads, tus, json, clock, troubles } = served
  const file = bytesOf(8, ground.chunkSize + 5)
  const kept = await json.filled(file, { chunkSize: ground.chunkSize })
  expect((await json.completed(kept.id)).checksum).toBe(sha256Of(file))
  await uploads.sweep()
  const base = await ground.things()
  const stray = await ground.leaveStray()

  const cancelled = await beginAll(served)
  for (const path of cancelled.paths) expect((await tus.request('DELETE', path)).status, path).toBe(204)
  // It goes on until it is cut, or verified: nothing is locked meanwhile.
  cancelled.body.cut()
  await expect.poll(() => uploads.stats().spool.reserved).toBe(0)
  const claims = (await ground.things()).filter(isClaim)
  await expectTombstones(served, [...base, ...claims, stray], cancelled.paths)
  // A tombstone's day, and no longer than a record that nobody cancels.
  for (const ms of await lifetimes(served, cancelled.paths)) {
    expect(ms).toBeGreaterThan(24 * HOUR)
    expect(ms).toBeLessThan(50 * HOUR)
  }

  const expired = await beginAll(served)
  expired.body.cut()
  clock.now += 25 * HOUR
  await expect.poll(() => uploads.stats().spool.reserved).toBe(0)
  // The tombstones of those are over, and what a crash left is a day old.
  await uploads.sweep()
  const idempotency = (await ground.things()).filter(isClaim)
  await expectTombstones(served, [...base, ...idempotency], expired.paths)
  for (const path of cancelled.paths) expect((await tus.head(path)).status).toBe(404)

  clock.now += 25 * HOUR
  await uploads.sweep()
  await expect.poll(() => beyond(served, base, []), { timeout: 10_000 }).toEqual([])
  // Nothing of others has gone, nothing of what is finished.
  const things = new Set(await ground.things())
  expect(base.filter((name) => !things.has(name))).toEqual([])
  expect(sha256Of((await tus.request('GET', `/files/${kept.id}`)).body)).toBe(sha256Of(file))
  expect(troubles).toEqual([])
}

describe('uploads that were cancelled or have expired', () => {
  it('leave nothing in a directory', async () => leavesNothing(await makeGround('file', 'memory')))

  describeWithRedis('with a Redis', () => {
    it('leave nothing in a directory and in Redis', async () => leavesNothing(await makeGround('file', 'redis')))
    describeWithS3('and S3', () => {
      it('leave nothing in a bucket and in Redis', async () => leavesNothing(await makeGround('s3', 'redis')))
    })
  })

  describeWithS3('with S3', () => {
    it('leave nothing in a bucket', async () => leavesNothing(await makeGround('s3', 'memory')))

    it('leave all that is not theirs in a bucket without a prefix', async () => {
      const ground = await inBucket('')
      // As our own multipart uploads are named, too: who has begun it nobody knows.
      await ground.leaveStray()
      const base = (await ground.things()).toSorted()
      let now = Date.now()
      const uploads = createUploads({ storage: ground.storage, now: () => now })
      await uploads.open()
      onTestFinished(async () => {
        await uploads.close()
        await ground.remove()
      })
      const { manifest } = await uploads.create({ fileName: 'a', fileSize: 6 * MIB }, { principal: null })
      await uploads.cancel(manifest.id, { principal: null })
      now += 25 * HOUR
      await uploads.sweep()
      expect((await ground.things()).toSorted()).toEqual(base)
    })
  })
})

describeWithRedis('nodes on one Redis', () => {
  describeWithS3('and one bucket', () => {
    it('sweep one at a time, and each finds what there is', async () => {
      const ground = await inBucket()
      const redis = new Redis(redisService().url)
      const prefix = `sweeping-${randomUUID()}:`
      const walks = { now: 0, most: 0, visits: 0 }
      /** Counts who walks, and what is looked at. */
      class WatchedStorage extends S3Storage {
        override async *list(): AsyncIterable<string> {
          walks.now += 1
          walks.most = Math.max(walks.most, walks.now)
          try {
            for await (const id of super.list()) {
              walks.visits += 1
              yield id
            }
          } finally {
            walks.now -= 1
          }
        }
      }
      const node = async (): Promise<Uploads> => {
        const storage: Storage = new WatchedStorage({ client: ground.place.client, bucket: ground.place.bucket })
        const uploads = createUploads({ storage, state: new RedisState({ redis, prefix }), sweepIntervalMs: 20 })
        await uploads.open()
        return uploads
      }
      const nodes = await Promise.all([node(), node(), node()])
      onTestFinished(async () => {
        for (const uploads of nodes) await uploads.close()
        redis.disconnect()
        await ground.remove()
      })
      for (let n = 0; n < 5; n += 1) {
        await nodes[n % 3]?.create({ fileName: 'a', fileSize: 1 }, { principal: null })
      }
      const visited = () => nodes.reduce((sum, uploads) => sum + uploads.stats().sweeps.visited, 0)
      await expect.poll(visited, { timeout: 20_000 }).toBeGreaterThan(60)
      expect(walks.most).toBe(1)
      await Promise.all(nodes.map((uploads) => uploads.sweep()))
      expect(walks.most).toBe(1)
    })
  })
})
