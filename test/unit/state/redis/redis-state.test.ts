import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { Ledger } from '../../../../src/ledger.ts'
import { RedisState } from '../../../../src/state/redis/index.ts'
import { describeWithRedis, redisService } from '../../../support/services/redis.ts'
import { describeState } from '../../../support/state-suite.ts'
import { aManifest, anEntry, anUpload, aTail, chunkChange, plain } from '../../../support/upload-samples.ts'
import { aClient, aNode, commit, numbers, ownPrefix, twoNodes } from './redis-nodes.ts'

const DAY = 24 * 3_600_000

describeWithRedis('on one Redis', () => {
  describeState('RedisState', () => {
    const redis = new Redis(redisService().url)
    return {
      state: new RedisState({ redis, prefix: ownPrefix() }),
      close: async () => redis.disconnect(),
    }
  })
})

describeWithRedis('RedisState', () => {
  it('is left with nothing by whoever asks for what is not there', async () => {
    const { state, redis, prefix } = aNode()
    expect(await state.merge(randomUUID(), async () => null)).toBeNull()
    expect(await redis.keys(`${prefix}*`)).toEqual([])
  })

  describe('what this process saw last', () => {
    it('is answered without Redis, where that will do', async () => {
      const { state, redis } = aNode()
      const { id } = (await state.adopt(anUpload())).manifest
      redis.disconnect()
      expect(await state.find(id, { recent: true })).toMatchObject({ manifest: { id }, status: 'initiated' })
      await expect(state.find(id)).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    })

    it('is asked of Redis where this process saw nothing', async () => {
      const [one, two] = twoNodes()
      const { id } = (await one.state.adopt(anUpload())).manifest
      expect(await two.state.find(id, { recent: true })).toMatchObject({ manifest: { id } })
    })

    it.each<[string, object]>([
      ['uploads', { cachedUploads: 2 }],
      ['chunks', { cachedChunks: 4 }],
    ])('is bounded in %s, and is right beyond the bound', async (_, bounds) => {
      const { state, redis } = aNode(bounds)
      const ledger = () => Ledger.of([anEntry(0), anEntry(1)])
      const ids: string[] = []
      for (let i = 0; i < 5; i += 1) ids.push((await state.adopt(anUpload({ ledger: ledger() }))).manifest.id)
      for (const id of ids) {
        expect(numbers(await commit(state, id, chunkChange(2, { size: 2 })))).toEqual([0, 1, 2])
        expect(numbers(await state.find(id))).toEqual([0, 1, 2])
      }
      redis.disconnect()
      const remembered = await Promise.allSettled(ids.map((id) => state.find(id, { recent: true })))
      expect(remembered.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(2)
    })
  })

  it('keeps sizes exact up to 2^53 − 1', async () => {
    const [one, two] = twoNodes()
    const chunkSize = 2 ** 50
    const size = Number.MAX_SAFE_INTEGER
    const { id } = (await one.state.adopt(anUpload({ manifest: aManifest({ size: null, chunkSize }) }))).manifest
    const last = size % chunkSize
    const whole = Array.from({ length: Math.floor(size / chunkSize) }, (_, n) => chunkChange(n, { size: chunkSize }))
    await commit(one.state, id, ...whole, { type: 'tail', tail: aTail(whole.length, last) })
    await expect(commit(two.state, id, { type: 'length', size: size - 1, at: 1 })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    })
    await commit(two.state, id, { type: 'length', size, at: 1 })
    const found = await one.state.find(id)
    expect(found).toMatchObject({ size })
    expect(found?.ledger.chunks.get(whole.length)).toMatchObject({ size: last, at: 1 })
    expect(found?.ledger.isFull({ chunkSize, size })).toBe(true)
  })

  it('takes more changes in one commit than Lua takes arguments', async () => {
    const [one, two] = twoNodes()
    const { id } = (await one.state.adopt(anUpload({ manifest: aManifest({ size: null }) }))).manifest
    await commit(one.state, id, ...Array.from({ length: 9_000 }, (_, number) => chunkChange(number)))
    expect((await two.state.find(id))?.ledger.run).toBe(9_000)
  })

  it('gives back texts as they were, whatever is in them', async () => {
    const [one, two] = twoNodes()
    const odd = 'a\0b "c" \n → 𝄞 {d} %1 \u2028'
    const manifest = aManifest({ fileName: odd, owner: odd, metadata: { [odd]: [odd, null, 1.5, { x: odd }] } })
    const ledger = Ledger.of([anEntry(0, { etag: odd }), anEntry(1, { etag: '' })])
    await one.state.adopt(anUpload({ manifest, ledger }))
    const found = await two.state.find(manifest.id)
    expect(found && plain(found)).toEqual(plain(anUpload({ manifest, ledger })))
  })

  it('has Redis drop each record by itself, a day after the upload expires', async () => {
    const { state, redis, prefix } = aNode()
    const expiresAt = Date.now() + 3 * DAY
    const { manifest } = await state.adopt(anUpload({ expiresAt, ledger: Ledger.of([anEntry(0)]) }))
    const { lock } = await state.lock(manifest.id, { scope: { kind: 'whole' }, waitMs: 0 })
    await state.commit(manifest.id, [chunkChange(1)], { lock, expiresAt: expiresAt + DAY, release: true })
    const keys = (await redis.keys(`${prefix}*`)).filter((key) => key !== `${prefix}expiry`)
    expect(keys).toHaveLength(3)
    for (const key of keys) {
      const end = await redis.pexpiretime(key)
      expect(end).toBeGreaterThan(expiresAt + 2 * DAY)
      expect(end).toBeLessThan(expiresAt + 3 * DAY)
    }
  })

  it('has Redis keep the record of an upload whose expiry has passed for its tombstone', async () => {
    const { state, redis, prefix } = aNode()
    const { id } = (await state.adopt(anUpload({ expiresAt: 5_000 }))).manifest
    await commit(state, id, { type: 'ended', status: 'cancelled', at: 6_000 })
    expect(await redis.pexpiretime(`${prefix}{${id}}:upload`)).toBeGreaterThan(Date.now() + DAY)
  })

  it('holds all keys of an upload in one slot', async () => {
    const { state, redis, prefix } = aNode()
    const { id } = (await state.adopt(anUpload({ ledger: Ledger.of([anEntry(0)]) }))).manifest
    await state.lock(id, { scope: { kind: 'whole' }, waitMs: 0 })
    const keys = (await redis.keys(`${prefix}*`)).filter((key) => key !== `${prefix}expiry`)
    expect(keys).toHaveLength(4)
    expect(keys.filter((key) => !key.startsWith(`${prefix}{${id}}:`))).toEqual([])
  })

  it('does not believe a record of which Redis has evicted a part', async () => {
    const [one, two] = twoNodes()
    const upload = anUpload({ ledger: Ledger.of([anEntry(0), anEntry(1)]) })
    const { id } = upload.manifest
    for (const part of ['upload', 'entries', 'index']) {
      await one.state.adopt(upload)
      await two.state.find(id)
      await one.redis.del(`${one.prefix}{${id}}:${part}`)
      expect(await two.state.find(id)).toBeNull()
      expect(await commit(one.state, id, chunkChange(2, { size: 2 }))).toBeNull()
      expect(numbers(await two.state.adopt(upload))).toEqual([0, 1])
      expect(numbers(await one.state.find(id))).toEqual([0, 1])
    }
  })

  it('names more due uploads than it looks at together, and puts the index right on the way', async () => {
    const { state, redis, prefix } = aNode()
    const due: string[] = []
    for (let i = 0; i < 250; i += 1) {
      const { id } = (await state.adopt(anUpload({ expiresAt: 1_000 + i }))).manifest
      if (i % 5 === 0) await state.commit(id, [{ type: 'touch' }], { lock: null, expiresAt: 9_000 })
      else if (i % 5 === 1) await state.forget(id)
      else due.push(id)
    }
    expect((await state.due(2_000)).toSorted()).toEqual(due.toSorted())
    expect(await redis.zcount(`${prefix}expiry`, 0, 2_000)).toBe(due.length)
    expect(await redis.zcard(`${prefix}expiry`)).toBe(due.length + 50)
  })

  it('leaves the client that was lent to it open, and clean', async () => {
    const redis = aClient()
    const state = new RedisState({ redis, prefix: ownPrefix() })
    const { id } = (await state.adopt(anUpload())).manifest
    await state.lock(id, { scope: { kind: 'append' }, waitMs: 0, onAsked: () => {} })
    await state.close()
    expect(await redis.ping()).toBe('PONG')
    expect(redis.listenerCount('message')).toBe(0)
  })

  it.each([
    ['cachedUploads', -1],
    ['cachedChunks', 1.5],
    ['commandTimeoutMs', 0],
  ])('refuses the option %s: %d', (name, value) => {
    const redis = aClient()
    expect(() => new RedisState({ redis, [name]: value })).toThrow(name)
  })
})
