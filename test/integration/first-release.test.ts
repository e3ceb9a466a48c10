import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type SweepStep, type Uploads, type UploadsOptions } from '../../src/index.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { encodeLines } from '../../src/storage/file/journal-format.ts'
import { S3Storage } from '../../src/storage/s3/index.ts'
import { sha256Of } from '../support/byte-source.ts'
import { sharedVariables } from '../support/cluster.ts'
import { concatenate, createPart } from '../support/concatenation.ts'
import {
  dumpBucket,
  dumpRedis,
  FIXTURE_BYTES,
  type FixtureBucket,
  type FixtureCommand,
  restoreBucket,
  restoreRedis,
} from '../support/first-release.ts'
import { JsonClient } from '../support/json-client.ts'
import { treeOf } from '../support/place-listing.ts'
import { S3Place } from '../support/s3-place.ts'
import { startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { nobodysId } from '../support/sweepable-uploads.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

/** What the first release left behind. `FIXTURES=write` makes it anew, by this version: only where there is no release yet. */
const FIXTURES = fileURLToPath(new URL('../fixtures/first-release', import.meta.url))
const WRITES = process.env['FIXTURES'] === 'write'

const DISK_CHUNK = 1000
const S3_CHUNK = 5 * 1024 * 1024
const TAIL = 300
const AGES_MS = 1000 * 365 * 24 * 3_600_000

const NAMES = ['tail', 'gap', 'deferred', 'completing', 'finished', 'single', 'cancelled', 'part'] as const
type Ids = Readonly<Record<(typeof NAMES)[number], string>>

/** In place of `it`, where nothing is to be made. */
const ignored = (_title: string, _work: () => Promise<void>): void => {}

const first = (size: number): Buffer => FIXTURE_BYTES.subarray(0, size)
const idOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** One upload in each state, each of the first bytes of the fixtures. */
async function populate(url: string, chunkSize: number): Promise<Ids> {
  const tus = new TusClient(url)
  const json = new JsonClient(url)
  const large = first(2 * chunkSize + 500)
  const tail = await tus.create(large.length)
  await tus.patch(tail, 0, large.subarray(0, chunkSize + TAIL))
  const gap = await json.begin({ fileSize: large.length, chunkSize })
  await json.sent(gap.id, 0, large.subarray(0, chunkSize))
  await json.sent(gap.id, 2, large.subarray(2 * chunkSize))
  const deferred = await tus.create(null)
  await tus.patch(deferred, 0, first(TAIL))
  const completing = await json.filled(first(chunkSize + 10), { chunkSize })
  const finished = await json.filled(first(chunkSize + 10), { chunkSize })
  await json.completed(finished.id)
  const single = await tus.create(400)
  await tus.patch(single, 0, first(400))
  const cancelled = await json.begin({ fileSize: large.length, chunkSize })
  await json.sent(cancelled.id, 1, large.subarray(chunkSize, 2 * chunkSize))
  await json.cancel(cancelled.id)
  const part = await createPart(tus, first(200))
  json.close()
  return {
    tail: idOf(tail),
    gap: gap.id,
    deferred: idOf(deferred),
    completing: completing.id,
    finished: finished.id,
    single: idOf(single),
    cancelled: cancelled.id,
    part: idOf(part),
  }
}

/** This version on what the first release left, where an age is no time. */
async function open(options: Pick<UploadsOptions, 'storage' | 'state'>) {
  const ages = { maxLifetimeMs: AGES_MS, expiresAfterMs: AGES_MS, tombstoneMs: AGES_MS }
  const uploads = createUploads({ ...options, ...ages, onError: () => {} })
  await uploads.open()
  const server = createServer(holdfast({ uploads })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(async () => {
    server.close()
    await uploads.close()
    server.closeAllConnections()
  })
  return { uploads, url }
}

/** Everything goes on, and everything finished is read back. */
async function expectOpens({ uploads, url }: { uploads: Uploads; url: string }, ids: Ids, chunkSize: number) {
  const tus = new TusClient(url)
  const json = new JsonClient(url)
  onTestFinished(() => json.close())
  const path = (id: string): string => `/files/${id}`
  const expectFile = async (id: string, size: number): Promise<void> => {
    const { status, body } = await tus.request('GET', path(id))
    expect([status, body.length, sha256Of(body)]).toEqual([200, size, sha256Of(first(size))])
  }
  const size = 2 * chunkSize + 500
  expect(await tus.offset(path(ids.tail))).toBe(chunkSize + TAIL)
  expect((await tus.patch(path(ids.tail), chunkSize + TAIL, first(size).subarray(chunkSize + TAIL))).status).toBe(204)
  await expectFile(ids.tail, size)

  expect((await json.progressed(ids.gap)).missingChunks).toEqual([[1, 1]])
  await json.sent(ids.gap, 1, first(2 * chunkSize).subarray(chunkSize))
  expect((await json.completed(ids.gap)).checksum).toBe(sha256Of(first(size)))
  await expectFile(ids.gap, size)

  expect(await tus.offset(path(ids.deferred))).toBe(TAIL)
  const headers = { 'Upload-Length': 500 }
  expect((await tus.patch(path(ids.deferred), TAIL, first(500).subarray(TAIL), { headers })).status).toBe(204)
  await expectFile(ids.deferred, 500)

  await expect.poll(async () => (await json.progressed(ids.completing)).status, { timeout: 20_000 }).toBe('uploaded')
  await expectFile(ids.completing, chunkSize + 10)
  await expectFile(ids.finished, chunkSize + 10)
  expect((await json.completed(ids.finished)).checksum).toBe(sha256Of(first(chunkSize + 10)))
  await expectFile(ids.single, 400)
  const { fileId } = (await uploads.find(ids.single, { principal: null })).manifest
  expect((await uploads.file(fileId, { principal: null })).checksum).toBe(sha256Of(first(400)))
  expect((await tus.head(path(ids.cancelled))).status).toBe(410)

  const made = await concatenate(tus, [path(ids.part), path(ids.part)])
  const { body } = await tus.request('GET', tus.locationOf(made))
  expect(body.equals(Buffer.concat([first(200), first(200)]))).toBe(true)
}

async function fixture<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(join(FIXTURES, name), 'utf8')) as T
}

async function write(name: string, value: unknown): Promise<void> {
  await mkdir(FIXTURES, { recursive: true })
  await writeFile(join(FIXTURES, name), `${JSON.stringify(value, null, 1)}\n`)
}

/** A copy of the directory. */
async function directoryCopy(): Promise<string> {
  const directory = await tempDir()
  await cp(join(FIXTURES, 'directory'), directory, { recursive: true })
  return directory
}

describe('the directory of the first release', () => {
  const make = WRITES ? it : ignored
  make('is made', async () => {
    const directory = await tempDir()
    const server = await startServerProcess(directory, { CHUNK_SIZE: String(DISK_CHUNK) })
    const ids = await populate(server.url, DISK_CHUNK)
    await server.kill('SIGTERM')
    const storage = new FileStorage({ directory })
    await storage.open()
    await storage.record(ids.completing, { type: 'completing' })
    await storage.close()
    await rm(join(FIXTURES, 'directory'), { recursive: true, force: true })
    await cp(directory, join(FIXTURES, 'directory'), { recursive: true })
    await write('directory-ids.json', ids)
  })

  it('opens, and everything in it goes on', async () => {
    const directory = await directoryCopy()
    const opened = await open({ storage: new FileStorage({ directory }) })
    await expectOpens(opened, await fixture<Ids>('directory-ids.json'), DISK_CHUNK)
  })

  it('is left as it is where a newer version has written, which is said', async () => {
    const directory = await directoryCopy()
    const ids = await fixture<Ids>('directory-ids.json')
    const at = (id: string, name: string): string => join(directory, 'uploads', id, name)
    await bump(at(ids.tail, 'manifest.json'))
    await writeFile(at(ids.gap, 'journal'), newerJournal(ids.gap))
    const manifest = JSON.parse(await readFile(at(ids.single, 'manifest.json'), 'utf8')) as { fileId: string }
    await bump(join(directory, 'files', `${manifest.fileId}.json`))
    const theirs = async () =>
      (await treeOf(directory)).filter((line) => [ids.tail, ids.gap, manifest.fileId].some((id) => line.includes(id)))
    const before = await theirs()

    const { uploads, url } = await open({ storage: new FileStorage({ directory }) })
    const failures = new Map<string, string>()
    const onStep = (step: SweepStep): void => {
      if (step.type === 'failure') failures.set(step.id, String(step.error))
    }
    await uploads.sweep({ onStep })
    const says = (what: string): RegExp =>
      new RegExp(`${what} has version 2, and this Holdfast knows version 1: run the version that wrote it, or a newer`)
    expect(failures.get(ids.tail)).toMatch(says(`The manifest of upload ${ids.tail}`))
    expect(failures.get(ids.gap)).toMatch(says('The journal of an upload'))
    expect((await new TusClient(url).head(`/files/${ids.tail}`)).status).toBe(423)
    await expect(uploads.file(manifest.fileId, { principal: null })).rejects.toThrow(says('The record of file .*'))
    expect(await theirs()).toEqual(before)
    // Others are not touched by that.
    expect(await new TusClient(url).offset(`/files/${ids.deferred}`)).toBe(TAIL)
  })
})

async function bump(path: string): Promise<void> {
  await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), version: 2 }))
}

/** No type of this version has such a header. */
function newerJournal(id: string): Buffer {
  return encodeLines([JSON.parse(JSON.stringify({ v: 2, id, boot: 'x' })) as Parameters<typeof encodeLines>[0][number]])
}

describeWithRedis('the Redis of the first release', () => {
  describeWithS3('and its bucket', () => {
    const make = WRITES ? it : ignored
    make('are made', async () => {
      const redis = new Redis(redisService().url)
      const place = await S3Place.make()
      const shared = { ...sharedVariables(redisService().url, place.bucket), REDIS_PREFIX: 'fixture:' }
      const server = await startServerProcess(await tempDir(), shared)
      const ids = await populate(server.url, S3_CHUNK)
      await server.kill('SIGTERM')
      const storage = await place.open()
      await storage.record(ids.completing, { type: 'completing' })
      // Of this one Redis has forgotten everything.
      await redis.del(...(await redis.keys(`fixture:{${ids.completing}}:*`)))
      await write('bucket.json', await dumpBucket(place, S3_CHUNK))
      await write('redis.json', await dumpRedis(redis))
      await write('bucket-ids.json', ids)
      await redis.del(...(await redis.keys('fixture:*')))
      redis.disconnect()
      await place.leave()
    })

    async function restored() {
      const place = await S3Place.make()
      const redis = new Redis(redisService().url)
      const prefix = `first-release-${nobodysId()}:`
      onTestFinished(async () => {
        redis.disconnect()
        await place.leave()
      })
      await restoreBucket(place, await fixture<FixtureBucket>('bucket.json'))
      await restoreRedis(redis, prefix, await fixture<FixtureCommand[]>('redis.json'))
      return {
        place,
        redis,
        prefix,
        state: new RedisState({ redis, prefix }),
        ids: await fixture<Ids>('bucket-ids.json'),
      }
    }

    it('open, and everything in them goes on', async () => {
      const { place, state, ids } = await restored()
      // They are read as they are: nothing is looked up in the bucket.
      expect((await state.find(ids.tail))?.ledger.tail).toMatchObject({ number: 1, size: TAIL })
      expect([...((await state.find(ids.gap))?.ledger.chunks.keys() ?? [])]).toEqual([0, 2])
      await expectOpens(
        await open({ storage: new S3Storage({ client: place.client, bucket: place.bucket }), state }),
        ids,
        S3_CHUNK,
      )
    })

    it('are left as they are where a newer version has written, which is said', async () => {
      const { place, redis, prefix, state, ids } = await restored()
      const key = `${prefix}{${ids.tail}}:upload`
      await redis.hset(key, 'version', '2')
      const record = await redis.hgetall(key)
      const manifest = `holdfast/uploads/${ids.gap}/manifest`
      const standing = JSON.parse((await place.get(manifest)).toString()) as { manifest: object }
      await place.put(manifest, JSON.stringify({ ...standing, manifest: { ...standing.manifest, version: 2 } }))
      await redis.del(`${prefix}{${ids.gap}}:upload`)

      const says = /has version 2, and this Holdfast knows version 1: run the version that wrote it, or a newer/
      const lock = { scope: { kind: 'append' }, waitMs: 0 } as const
      for (const work of [() => state.find(ids.tail), () => state.lock(ids.tail, lock)]) {
        await expect(work()).rejects.toMatchObject({
          code: 'STATE_UNAVAILABLE',
          cause: { message: expect.stringMatching(says) },
        })
      }
      expect(await redis.exists(`${prefix}{${ids.tail}}:lock`)).toBe(0)
      const { uploads } = await open({ storage: new S3Storage({ client: place.client, bucket: place.bucket }), state })
      const failures: string[] = []
      await uploads.sweep({ onStep: (step) => step.type === 'failure' && failures.push(step.id) })
      expect(failures.toSorted()).toEqual([ids.tail, ids.gap].toSorted())
      await expect(uploads.find(ids.gap, { principal: null })).rejects.toThrow(says)
      expect(await redis.hgetall(key)).toEqual(record)
      expect(JSON.parse((await place.get(manifest)).toString())).toMatchObject({ manifest: { version: 2 } })
      expect(await place.keys()).toEqual(expect.arrayContaining([`holdfast/uploads/${ids.tail}/manifest`]))
    })
  })
})

it('has fixtures that are small', async () => {
  const names = await readdir(FIXTURES, { recursive: true })
  const sizes = await Promise.all(
    names.map((name) =>
      readFile(join(FIXTURES, name)).then(
        ({ length }) => length,
        () => 0,
      ),
    ),
  )
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000)
})
