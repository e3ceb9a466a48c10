import { Redis } from 'ioredis'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { createUploads, type Uploads } from '../../../src/index.ts'
import { RedisState } from '../../../src/state/redis/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { describeWithRedis, redisService } from '../../support/services/redis.ts'
import { storeAll, testBytes, testManifest } from '../../support/storage-suite.ts'
import { nobodysId } from '../../support/sweepable-uploads.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** Locks of a killed node last so long, ms. */
const LEASE_MS = 700

describeWithRedis('what a killed node has locked', () => {
  let prefix: string
  let directory: string
  let id: string

  beforeEach(async () => {
    prefix = `again-${nobodysId()}:`
    directory = await tempDir()
    const storage = new FileStorage({ directory })
    await storage.open()
    const upload = await storeAll(storage, testManifest({ owner: null, createdAt: Date.now() }), testBytes(250))
    id = upload.manifest.id
    await storage.record(id, { type: 'completing' })
    await storage.close()
  })

  /** A node locks something, and is gone. */
  async function lockAndDie(what: string): Promise<void> {
    const redis = new Redis(redisService().url)
    const state = new RedisState({ redis, prefix, leaseMs: LEASE_MS })
    await state.locks.acquire(what, { scope: { kind: 'whole' }, waitMs: 0 })
    redis.disconnect()
    onTestFinished(() => state.close())
  }

  /** A node that sweeps at its start, and then not for an hour. */
  async function start(): Promise<Uploads> {
    const redis = new Redis(redisService().url)
    const uploads = createUploads({
      storage: new FileStorage({ directory }),
      state: new RedisState({ redis, prefix, leaseMs: LEASE_MS }),
      lockWaitMs: 50,
      onError: () => {},
    })
    await uploads.open()
    onTestFinished(async () => {
      await uploads.close()
      redis.disconnect()
    })
    return uploads
  }

  it('is completed soon after its lease, though nobody asks for it', async () => {
    await lockAndDie(id)
    const uploads = await start()
    const completed: string[] = []
    uploads.events.on('completed', ({ uploadId }) => completed.push(uploadId))
    await expect.poll(() => uploads.stats().sweeps.done).toBe(1)
    expect(completed).toEqual([])
    await expect.poll(() => completed, { timeout: 10_000 }).toEqual([id])
  })

  it('is swept soon after its lease', async () => {
    await lockAndDie('sweep')
    const uploads = await start()
    await expect.poll(() => uploads.stats().sweeps, { timeout: 10_000 }).toMatchObject({ done: 1, visited: 1 })
  })
})
