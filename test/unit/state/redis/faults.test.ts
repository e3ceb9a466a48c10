import { describe, expect, it, onTestFinished } from 'vitest'
import { Ledger } from '../../../../src/ledger.ts'
import type { LockScope } from '../../../../src/locks/locker.ts'
import type { State } from '../../../../src/state/state.ts'
import { describeWithOwnRedis, startRedis } from '../../../support/services/own-redis.ts'
import type { RedisServerOptions } from '../../../support/services/redis-server.ts'
import { anEntry, anUpload, aTail, chunkChange, plain } from '../../../support/upload-samples.ts'
import { aClient, commit, numbers, twoNodes } from './redis-nodes.ts'

const whole: LockScope = { kind: 'whole' }

async function aServer(options?: RedisServerOptions) {
  const server = await startRedis(options)
  onTestFinished(() => server.stop())
  return server
}

/** Everything a state is asked for. */
async function askAll(state: State, id: string): Promise<PromiseSettledResult<unknown>[]> {
  return Promise.allSettled([
    state.find(id),
    state.lock(id, { scope: whole, waitMs: 0 }),
    state.commit(id, [{ type: 'touch' }], { lock: null, expiresAt: 0 }),
    state.adopt(anUpload()),
    state.due(9_999),
    state.forget(id),
    state.check(),
  ])
}

describeWithOwnRedis('RedisState, when Redis', () => {
  describe('is emptied', () => {
    it('refuses the token of before, whether or not somebody else has locked since', async () => {
      const server = await aServer()
      const [one, two] = twoNodes({ url: server.url })
      const upload = anUpload()
      const { id } = upload.manifest
      await one.state.adopt(upload)
      const { lock: stale } = await one.state.lock(id, { scope: whole, waitMs: 0 })
      await two.redis.flushall()
      await two.state.adopt(upload)
      const change = () => one.state.commit(id, [chunkChange(0)], { lock: stale, expiresAt: 0 })
      await expect(change()).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      const { lock } = await two.state.lock(id, { scope: whole, waitMs: 0 })
      await expect(change()).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      expect(numbers(await two.state.find(id))).toEqual([])
      await two.state.commit(id, [chunkChange(1)], { lock, expiresAt: 0 })
      expect(numbers(await one.state.find(id))).toEqual([1])
    })

    it('knows nothing, and learns all from storage', async () => {
      const server = await aServer()
      const [one, two] = twoNodes({ url: server.url })
      const upload = anUpload({ ledger: Ledger.of([anEntry(0)]) })
      const { id } = upload.manifest
      await one.state.adopt(upload)
      await one.redis.flushall()
      for (const { state } of [one, two]) {
        expect(await state.find(id)).toBeNull()
        expect((await state.lock(id, { scope: { kind: 'chunk', number: 7 }, waitMs: 1_000 })).upload).toBeNull()
        expect(await commitTouch(state, id)).toBeNull()
        await one.redis.flushall()
      }
      expect(numbers(await two.state.adopt(upload))).toEqual([0])
      expect(numbers(await one.state.find(id))).toEqual([0])
    })
  })

  it.each(['is emptied', 'starts again with what it once had'])(
    '%s while storage is asked, asks it again',
    async (how) => {
      const server = await aServer()
      const [one, two] = twoNodes({ url: server.url })
      const { manifest } = anUpload()
      const { id } = manifest
      const early = anUpload({ manifest })
      const now = anUpload({ manifest, ledger: Ledger.of([anEntry(0)]) })
      let asked = 0
      const merged = await one.state.merge(id, async () => {
        asked += 1
        if (asked > 1) return now
        // This saw storage before the chunk came of which another node has told a client.
        if (how === 'is emptied') {
          await two.state.adopt(now)
          await two.redis.flushall()
        } else {
          await two.redis.save()
          await two.state.adopt(now)
          await server.restart()
        }
        return early
      })
      expect(numbers(merged)).toEqual([0])
      expect(numbers(await two.state.find(id))).toEqual([0])
      expect(asked).toBe(2)
    },
  )

  describe('starts again with what it had', () => {
    it('believes no record before storage was merged into it, and keeps what is in it', async () => {
      const server = await aServer({ appendonly: true })
      const [one, two] = twoNodes({ url: server.url })
      const upload = anUpload()
      const { id } = upload.manifest
      await one.state.adopt(upload)
      await commit(one.state, id, chunkChange(1), { type: 'tail', tail: aTail(0, 2) })
      const before = await two.state.find(id)
      await server.restart()
      expect(await two.redis.exists(`${two.prefix}{${id}}:upload`)).toBe(1)

      expect(await two.state.find(id)).toBeNull()
      const { lock, upload: locked } = await one.state.lock(id, { scope: whole, waitMs: 10_000 })
      expect(locked).toBeNull()
      expect(await one.state.commit(id, [chunkChange(2)], { lock, expiresAt: 0 })).toBeNull()

      // What Redis had lost, storage has; what the record has kept, stays.
      const stored = anUpload({ manifest: upload.manifest, status: 'uploading', ledger: Ledger.of([anEntry(0)]) })
      const union = await two.state.adopt(stored)
      expect(plain(union).ledger.chunks).toEqual([anEntry(0), anEntry(1)])
      expect(plain((await one.state.find(id))!)).toEqual(plain(union))
      expect(union.ledger).not.toBe(before?.ledger)
      const change = chunkChange(2, { size: 2 })
      expect((await one.state.commit(id, [change], { lock, expiresAt: 0 }))?.ledger.run).toBe(3)
    })

    it('shows both nodes the same, also where it has lost what one of them had read', async () => {
      const server = await aServer({ appendonly: true })
      const [one, two] = twoNodes({ url: server.url })
      const upload = anUpload()
      const { id } = upload.manifest
      const keys = ['upload', 'entries', 'index'].map((name) => `${one.prefix}{${id}}:${name}`)
      await one.state.adopt(upload)
      const saved = await Promise.all(keys.map((key) => one.redis.dumpBuffer(key)))
      await commit(one.state, id, chunkChange(0))
      expect(numbers(await two.state.find(id))).toEqual([0])
      for (const [i, key] of keys.entries()) {
        await one.redis.del(key)
        if (saved[i]) await one.redis.restore(key, 0, saved[i])
      }
      await server.restart()
      await one.state.adopt(anUpload({ manifest: upload.manifest, ledger: Ledger.of([anEntry(1)]) }))
      for (const { state } of [one, two]) expect(numbers(await state.find(id))).toEqual([1])
      await commit(two.state, id, chunkChange(0))
      for (const { state } of [one, two]) expect(numbers(await state.find(id))).toEqual([1, 0])
    })
  })

  it('loses its place to a replica and gets it back, believes no record of before', async () => {
    const config = { 'repl-diskless-sync-delay': '0' }
    const [first, second] = [await aServer({ config }), await aServer({ config })]
    const [one] = twoNodes({ url: first.url })
    const upload = anUpload()
    const { id } = upload.manifest
    await one.state.adopt(upload)
    const [master, replica] = [aClient(first.url), aClient(second.url)]
    await replica.replicaof(first.host, first.port)
    await follows(replica)
    // From here on the first server is alone, and what it takes is lost.
    await replica.replicaof('NO', 'ONE')
    await one.state.adopt(upload)
    await commit(one.state, id, chunkChange(0))
    await master.replicaof(second.host, second.port)
    await follows(master)
    await master.replicaof('NO', 'ONE')
    expect(await one.redis.hget(`${one.prefix}{${id}}:upload`, 'count')).toBe('0')
    expect(await one.state.find(id)).toBeNull()
  })

  it('does not answer, says so in time, and goes on when it does', async () => {
    const server = await aServer()
    const [one, two] = twoNodes({ url: server.url, commandTimeoutMs: 300 })
    const { id } = (await one.state.adopt(anUpload())).manifest
    await one.state.find(id)
    process.kill(server.pid, 'SIGSTOP')
    const { pid } = server
    onTestFinished(() => void process.kill(pid, 'SIGCONT'))
    for (const asked of await askAll(one.state, id)) {
      expect(asked).toMatchObject({ status: 'rejected', reason: { code: 'STATE_UNAVAILABLE' } })
      expect(asked).toMatchObject({ reason: { cause: expect.any(Error) } })
    }
    process.kill(server.pid, 'SIGCONT')
    await two.state.check()
    const upload = await one.state.adopt(anUpload())
    expect(numbers(await commit(two.state, upload.manifest.id, chunkChange(0)))).toEqual([0])
  })

  it('takes no writes any more, is not ready, and is again when it does', async () => {
    const config = { 'repl-diskless-sync-delay': '0' }
    const [server, master] = [await aServer({ config }), await aServer({ config })]
    const [one] = twoNodes({ url: server.url })
    await one.state.check()
    await one.redis.replicaof(master.host, master.port)
    await expect(one.state.check()).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    await one.redis.replicaof('NO', 'ONE')
    await one.state.check()
    await one.redis.config('SET', 'maxmemory', '1')
    await expect(one.state.check()).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    expect(await one.redis.ping()).toBe('PONG')
    await one.redis.config('SET', 'maxmemory', '0')
    await one.state.check()
    expect(await one.redis.keys('*')).toEqual([`${one.prefix}check`])
    expect(await one.redis.pttl(`${one.prefix}check`)).toBeGreaterThan(0)
  })

  it('is gone, says so, and goes on when it is back', async () => {
    const server = await aServer()
    const [one, two] = twoNodes({ url: server.url, commandTimeoutMs: 300 })
    const upload = anUpload()
    const { id } = upload.manifest
    await one.state.adopt(upload)
    await server.kill()
    for (const asked of await askAll(one.state, id)) {
      expect(asked).toMatchObject({ status: 'rejected', reason: { code: 'STATE_UNAVAILABLE' } })
    }
    await server.restart()
    await Promise.all([one.redis.ping(), two.redis.ping()])
    expect(await two.state.find(id)).toBeNull()
    await one.state.adopt(upload)
    expect(numbers(await commit(two.state, id, chunkChange(0)))).toEqual([0])
  })

  it('refuses a script, says that state is unavailable, and leaves no lock behind', async () => {
    const server = await aServer()
    const [one, two] = twoNodes({ url: server.url })
    const { id } = (await one.state.adopt(anUpload())).manifest
    await one.redis.del(`${one.prefix}{${id}}:upload`)
    await one.redis.set(`${one.prefix}{${id}}:upload`, 'not ours')
    await expect(one.state.find(id)).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    const locked = one.state.lock(id, { scope: whole, waitMs: 0 })
    await expect(locked).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    await one.redis.del(`${one.prefix}{${id}}:upload`)
    const { lock, upload } = await two.state.lock(id, { scope: whole, waitMs: 5_000 })
    expect(upload).toBeNull()

    const waiting = one.state.lock(id, { scope: whole, waitMs: 10_000 })
    await one.redis.set(`${one.prefix}{${id}}:upload`, 'not ours')
    await lock.release()
    await expect(waiting).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    expect((await two.state.locks.acquire(id, { scope: whole, waitMs: 5_000 })).held).toBe(true)
  })
})

const commitTouch = (state: State, id: string) => state.commit(id, [{ type: 'touch' }], { lock: null, expiresAt: 0 })

/** Waits until a replica has what its master has. */
async function follows(replica: ReturnType<typeof aClient>): Promise<void> {
  while (!(await replica.info('replication')).includes('master_link_status:up')) {
    // Its answer is what is waited for.
  }
}
