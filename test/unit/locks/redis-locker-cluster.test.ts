import * as fc from 'fast-check'
import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { LOCK_LUA } from '../../../src/locks/redis/lock-lua.ts'
import type { RedisLocker } from '../../../src/locks/redis-locker.ts'
import { uploadKey } from '../../../src/redis/key.ts'
import { RedisScript } from '../../../src/redis/script.ts'
import { lockSteps, playLockStory } from '../../support/locker-model.ts'
import { describeLocker } from '../../support/locker-suite.ts'
import { lockerNodes } from '../../support/redis-lockers.ts'
import { describeWithOwnRedis, startRedisCluster } from '../../support/services/own-redis.ts'
import type { RedisCluster } from '../../support/services/redis-cluster.ts'
import { describeTusLocker } from '../../support/tus-locker-suite.ts'

describeWithOwnRedis('RedisLocker over a Cluster', () => {
  let cluster: RedisCluster
  const connect = () => new Cluster(cluster.masters.map(({ host, port }) => ({ host, port })))

  beforeAll(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 1500 })
  }, 60_000)
  afterAll(() => cluster.stop())

  describeLocker('Two RedisLockers taking turns', () => lockerNodes([connect(), connect()]))
  describeTusLocker('Two RedisLockers taking turns', () => lockerNodes([connect(), connect()]))

  it('keeps the rules in every story, on two nodes', async () => {
    const nodes = lockerNodes([connect(), connect()])
    await fc.assert(
      fc.asyncProperty(lockSteps, async (steps) => {
        await playLockStory(nodes, steps)
        expect(nodes.lockers.map(({ size }) => size)).toEqual([0, 0])
      }),
      { numRuns: 30 },
    )
    await nodes.close()
  })

  it('keeps what belongs to an upload in one slot, whatever its id', async () => {
    const nodes = lockerNodes([connect()])
    const [locker] = nodes.lockers
    const script = new RedisScript(`${LOCK_LUA}
redis.call('SET', KEYS[2], 1, 'PX', 100)
return locks.acquire(KEYS[1], locks.now(), ARGV)`)
    for (const id of ['', '}', '{}', '}{', 'a}b{c', '%', '%7B', 'files/ü 😀?x=1', '|:,']) {
      const by = { script, keys: [uploadKey(nodes.prefix, id, 'other')], args: [] }
      const { lock } = await locker!.acquireBy(id, { scope: { kind: 'append' }, waitMs: 0 }, by)
      await lock.moveTo(1, { waitMs: 0 })
      const refused = locker!.acquire(id, { scope: { kind: 'whole' }, waitMs: 0 })
      await expect(refused).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      await lock.release()
    }
    await nodes.close()
  })

  it('keeps a lock through a failover, and goes on by itself', { timeout: 60_000 }, async () => {
    const nodes = lockerNodes([connect(), connect()], { leaseMs: 30_000, commandTimeoutMs: 500 })
    const [here, there] = nodes.lockers as [RedisLocker, RedisLocker]
    const id = 'upload'
    const lock = await here.acquire(id, { scope: { kind: 'append' }, waitMs: 0 })
    const master = await masterOf(here.keyOf(id))
    const replica = new Redis(master.replicaPort, { readOnly: true })
    await vi.waitFor(async () => expect(await replica.exists(here.keyOf(id))).toBe(1))
    await cluster.nodes.find(({ port }) => port === master.port)?.kill()
    const refused = () => there.acquire(id, { scope: { kind: 'whole' }, waitMs: 0 })
    await expect(refused()).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    // Its replica has taken over, and knows of the lock.
    await vi.waitFor(() => expect(refused()).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' }), { timeout: 40_000 })
    expect(lock.held).toBe(true)
    await lock.moveTo(0, { waitMs: 0 })
    const waiting = there.acquire(id, { scope: { kind: 'append' }, waitMs: 10_000 })
    await nodes.settle()
    await lock.release()
    await (await waiting).release()
    replica.disconnect()
    await nodes.close()
  })

  /** Where the master of a key's slot listens, and its replica. */
  async function masterOf(key: string): Promise<{ readonly port: number; readonly replicaPort: number }> {
    const client = new Redis(cluster.masters[0]!.url)
    const slot = await client.cluster('KEYSLOT', key)
    const ranges = await client.cluster('SLOTS')
    client.disconnect()
    const [, , ...nodes] = ranges.find(([first, last]) => first <= slot && slot <= last)!
    return { port: nodes[0]![1], replicaPort: nodes[1]![1] }
  }
})
