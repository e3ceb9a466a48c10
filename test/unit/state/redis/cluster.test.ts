import { Cluster } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { isUploadError } from '../../../../src/errors.ts'
import { Ledger } from '../../../../src/ledger.ts'
import { RedisState } from '../../../../src/state/redis/index.ts'
import { describeWithOwnRedis, startRedisCluster } from '../../../support/services/own-redis.ts'
import type { RedisCluster } from '../../../support/services/redis-cluster.ts'
import { describeState } from '../../../support/state-suite.ts'
import { anEntry, anUpload, chunkChange } from '../../../support/upload-samples.ts'
import { commit, numbers, ownPrefix } from './redis-nodes.ts'

describeWithOwnRedis('on a Cluster', () => {
  let cluster: RedisCluster
  let shared: Cluster

  beforeAll(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 1_000 })
    shared = aClient()
  }, 60_000)

  afterAll(async () => {
    shared.disconnect()
    await cluster.stop()
  })

  function aClient(): Cluster {
    const redis = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
    // What comes of a node that is gone, the tests see for themselves.
    redis.on('error', () => {})
    return redis
  }

  describeState('RedisState', () => ({ state: new RedisState({ redis: shared, prefix: ownPrefix() }) }))

  it('names what is due wherever it lies', async () => {
    const state = new RedisState({ redis: shared, prefix: ownPrefix() })
    onTestFinished(() => state.close())
    const uploads = await Promise.all(Array.from({ length: 120 }, () => state.adopt(anUpload())))
    const ids = uploads.map(({ manifest }) => manifest.id)
    expect((await state.due(5_000)).toSorted()).toEqual(ids.toSorted())
  })

  it('loses nothing where a replica takes over', async () => {
    const prefix = ownPrefix()
    const [one, two] = [0, 1].map(() => {
      const redis = aClient()
      const state = new RedisState({ redis, prefix, commandTimeoutMs: 1_000 })
      onTestFinished(async () => {
        await state.close()
        redis.disconnect()
      })
      return state
    }) as [RedisState, RedisState]
    const upload = anUpload()
    const { id } = upload.manifest
    await one.adopt(upload)
    await commit(one, id, chunkChange(0))
    const serving = await masterOf(`${prefix}{${id}}:upload`)
    await serving.kill()
    // Until the replica is elected there is no answer; then nothing is believed that it has.
    await vi.waitFor(async () => expect(await answer(two, id)).toBeNull(), { timeout: 30_000, interval: 100 })
    const stored = anUpload({ manifest: upload.manifest, status: 'uploading', ledger: Ledger.of([anEntry(0)]) })
    expect(numbers(await two.adopt(stored))).toEqual([0])
    expect(numbers(await commit(one, id, chunkChange(1)))).toEqual([0, 1])
    expect(numbers(await two.find(id))).toEqual([0, 1])
  }, 60_000)

  async function masterOf(key: string) {
    const slot = await shared.cluster('KEYSLOT', key)
    const ranges = await shared.cluster('SLOTS')
    const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2]?.[1]
    return cluster.nodes.find((node) => node.port === port)!
  }
})

/** What a node finds, or that it gets no answer. */
async function answer(state: RedisState, id: string) {
  try {
    return await state.find(id)
  } catch (error) {
    if (isUploadError(error) && error.code === 'STATE_UNAVAILABLE') return error.code
    throw error
  }
}
