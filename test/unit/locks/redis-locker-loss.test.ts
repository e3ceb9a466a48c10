import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RedisLockerOptions } from '../../../src/locks/redis-locker.ts'
import { append, chunk, FOREVER_MS, whole } from '../../support/locker-suite.ts'
import { compileHolder, startHolder } from '../../support/lock-holders.ts'
import { type LockerNodes, lockerNodes } from '../../support/redis-lockers.ts'
import { describeWithOwnRedis, startRedis } from '../../support/services/own-redis.ts'
import type { RedisServer } from '../../support/services/redis-server.ts'

const LEASE_MS = 600
/** For messages, scripts and a busy machine. */
const GRACE_MS = 400
const UNAVAILABLE = { code: 'STATE_UNAVAILABLE' }
const LOCKED = { code: 'UPLOAD_LOCKED' }

/** Blocks this thread: nothing runs meanwhile, no timer and no answer. */
const stopThisProcess = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

const patient = { waitMs: FOREVER_MS }

describeWithOwnRedis('RedisLocker, when a lock is lost', () => {
  let server: RedisServer
  let redis: Redis
  let program: { readonly directory: string; readonly program: string }
  let nodes: LockerNodes
  let id: string
  const lost = vi.fn<(id: string) => void>()

  beforeAll(async () => {
    server = await startRedis()
    redis = new Redis(server.url)
    redis.on('error', () => {})
    program = await compileHolder()
  }, 60_000)
  afterAll(async () => {
    redis.disconnect()
    await rm(program.directory, { recursive: true })
    await server.stop()
  })

  beforeEach(() => {
    id = randomUUID()
    lost.mockClear()
    nodes = make()
  })
  afterEach(() => nodes.close())

  function make(options: Omit<RedisLockerOptions, 'redis' | 'prefix'> = {}): LockerNodes {
    const clients = [0, 1].map(() => new Redis(server.url))
    for (const client of clients) client.on('error', () => {})
    return lockerNodes(clients, { leaseMs: LEASE_MS, onLost: lost, ...options })
  }

  const holder = () => startHolder(program.program, [server.url, nodes.prefix, String(LEASE_MS), id])

  describe('its process', () => {
    it('may be killed: who waits gets in when the lease has ended', async () => {
      const other = holder()
      await other.heard('granted')
      const waiting = nodes.locker.acquire(id, { ...patient, scope: whole, ask: true })
      await other.heard('asked')
      const killedAt = performance.now()
      other.child.kill('SIGKILL')
      const lock = await waiting
      expect(performance.now() - killedAt).toBeLessThan(LEASE_MS + GRACE_MS)
      expect(lock.held).toBe(true)
      await lock.release()
    })

    it('may be killed while it waits: it keeps nobody behind it waiting for longer than its lease', async () => {
      const first = await nodes.locker.acquire(id, { ...patient, scope: append })
      const other = startHolder(program.program, [server.url, nodes.prefix, String(LEASE_MS), id])
      await vi.waitFor(async () => expect(Object.keys(await redis.hgetall(keyOf(id))).join()).toContain('w:'))
      const behind = nodes.locker.acquire(id, { ...patient, scope: append })
      await nodes.settle()
      other.child.kill('SIGKILL')
      await first.release()
      const releasedAt = performance.now()
      await (await behind).release()
      expect(performance.now() - releasedAt).toBeLessThan(LEASE_MS + GRACE_MS)
    })

    it('may be stopped: others get in, and when it goes on it knows at once, and breaks nothing', async () => {
      const other = holder()
      await other.heard('granted')
      other.child.kill('SIGSTOP')
      const stoppedAt = performance.now()
      const lock = await nodes.locker.acquire(id, { ...patient, scope: whole })
      expect(performance.now() - stoppedAt).toBeLessThan(LEASE_MS + GRACE_MS)
      other.order('look')
      other.child.kill('SIGCONT')
      expect(await other.heard('looked')).toMatchObject({ held: false })
      await other.heard('lost')
      other.order('release')
      await other.heard('released')
      expect(lock.held).toBe(true)
      await expect(nodes.locker.acquire(id, { scope: append, waitMs: 0 })).rejects.toMatchObject(LOCKED)
      await lock.release()
    })

    it('knows by the clock alone, before any timer or answer', async () => {
      const onLost = vi.fn()
      const lock = await nodes.locker.acquire(id, { ...patient, scope: append, onLost })
      expect(lock.held).toBe(true)
      stopThisProcess(LEASE_MS)
      expect(lock.held).toBe(false)
      expect(onLost).not.toHaveBeenCalled()
      await vi.waitFor(() => expect(onLost).toHaveBeenCalledOnce())
      expect(lost.mock.calls).toEqual([[id]])
      expect(lock.held).toBe(false)
      await lock.release()
      expect(onLost).toHaveBeenCalledOnce()
    })

    it('never holds again what it has lost, also when Redis renews it after all', async () => {
      const onLost = vi.fn()
      const lock = await nodes.locker.acquire(id, { ...patient, scope: append, onLost })
      // Redis gets the renewal in time, its answer is too late.
      await vi.waitUntil(() => nodes.lent.some(({ sent }) => sent > 1), { interval: 1 })
      stopThisProcess(LEASE_MS)
      expect(lock.held).toBe(false)
      await vi.waitFor(() => expect(onLost).toHaveBeenCalledOnce())
      expect(lock.held).toBe(false)
      await lock.release()
      await (await nodes.locker.acquire(id, { scope: whole, waitMs: 0 })).release()
    })

    it('may be idle for long: every lock is renewed', async () => {
      const locks = await Promise.all(
        [append, chunk(0), chunk(1)].map((scope) => nodes.locker.acquire(id, { ...patient, scope })),
      )
      const waiting = nodes.locker.acquire(id, { ...patient, scope: whole })
      await new Promise((resolve) => setTimeout(resolve, 3 * LEASE_MS))
      expect(locks.map(({ held }) => held)).toEqual([true, true, true])
      await expect(nodes.locker.acquire(id, { scope: chunk(5), waitMs: 0 })).rejects.toMatchObject(LOCKED)
      for (const lock of locks) await lock.release()
      await (await waiting).release()
      expect(lost).not.toHaveBeenCalled()
    })

    it('ends by itself when locker and client are closed, also with a lock in hand', async () => {
      const other = holder()
      await other.heard('granted')
      other.order('close')
      await other.heard('closed')
      await once(other.child, 'exit')
      expect(other.child.exitCode).toBe(0)
    })
  })

  describe('Redis', () => {
    it('may be flushed: the holder is told, another gets in, and the late release takes nothing from it', async () => {
      const onLost = vi.fn()
      const lock = await nodes.locker.acquire(id, { ...patient, scope: append, onLost })
      await redis.flushall()
      const next = await nodes.locker.acquire(id, { scope: append, waitMs: 0 })
      await vi.waitFor(() => expect(onLost).toHaveBeenCalledOnce())
      expect(lost.mock.calls).toEqual([[id]])
      expect(lock.held).toBe(false)
      await lock.release()
      expect(next.held).toBe(true)
      await expect(nodes.locker.acquire(id, { scope: append, waitMs: 0 })).rejects.toMatchObject(LOCKED)
      await next.release()
    })

    it('may be flushed while somebody waits: it gets in all the same', async () => {
      await nodes.locker.acquire(id, { ...patient, scope: append })
      const waiting = nodes.locker.acquire(id, { ...patient, scope: whole })
      await nodes.settle()
      await redis.flushall()
      await (await waiting).release()
    })

    it('may be flushed while an append waits for its next chunk: it is refused, the lock is lost', async () => {
      const lock = await nodes.locker.acquire(id, { ...patient, scope: append })
      await nodes.locker.acquire(id, { ...patient, scope: chunk(1) })
      const moving = lock.moveTo(1, patient)
      moving.catch(() => {})
      await nodes.settle()
      await redis.flushall()
      await expect(moving).rejects.toMatchObject(LOCKED)
      expect(lock.held).toBe(false)
      await expect(lock.moveTo(2, { waitMs: 0 })).rejects.toMatchObject(LOCKED)
    })

    it('may forget its scripts', async () => {
      await redis.script('FLUSH')
      const lock = await nodes.locker.acquire(id, { ...patient, scope: append })
      await redis.script('FLUSH')
      await lock.moveTo(1, { waitMs: 0 })
      await redis.script('FLUSH')
      await lock.release()
      await (await nodes.locker.acquire(id, { scope: whole, waitMs: 0 })).release()
    })

    it('may stop: everything that needs it fails in time, and goes on by itself when it goes on', async () => {
      await nodes.close()
      nodes = make({ commandTimeoutMs: 200, leaseMs: 2000 })
      const [here, there] = nodes.lockers
      const lock = await here!.acquire(id, { ...patient, scope: append })
      const waiting = there!.acquire(id, { ...patient, scope: append })
      waiting.catch(() => {})
      await nodes.settle()
      process.kill(server.pid, 'SIGSTOP')
      try {
        const started = performance.now()
        const tries = [
          here!.acquire(randomUUID(), { scope: whole, waitMs: 0 }),
          here!.acquire(randomUUID(), { ...patient, scope: whole }),
          lock.moveTo(1, { waitMs: 0 }),
        ]
        for (const attempt of tries) await expect(attempt).rejects.toMatchObject(UNAVAILABLE)
        expect(performance.now() - started).toBeLessThan(200 + GRACE_MS)
        await expect(waiting).rejects.toMatchObject(UNAVAILABLE)
        expect(lock.held).toBe(true)
        await lock.release()
        expect(lock.held).toBe(false)
      } finally {
        process.kill(server.pid, 'SIGCONT')
      }
      await nodes.settle()
      // What was sent and given up has left nothing behind, and what was released is free.
      expect(await redis.keys(`${nodes.prefix}*`)).toEqual([])
      await (await there!.acquire(id, { scope: whole, waitMs: 0 })).release()
    })

    it('may be gone: refusals come in time, releases come to nothing, and locks are got again when it is back', async () => {
      const own = await startRedis()
      const client = new Redis(own.url, { retryStrategy: () => 50 })
      client.on('error', () => {})
      const lonely = lockerNodes([client], { leaseMs: LEASE_MS, commandTimeoutMs: 200, onLost: lost })
      const locker = lonely.locker
      const held = await locker.acquire(id, { ...patient, scope: append, onAsked: () => {} })
      await own.kill()
      await expect(locker.acquire(id, { scope: chunk(1), waitMs: 0 })).rejects.toMatchObject(UNAVAILABLE)
      await vi.waitFor(() => expect(lost).toHaveBeenCalledOnce())
      expect(held.held).toBe(false)
      await held.release()
      await own.restart({ keepData: false })
      const again = await vi.waitFor(() => locker.acquire(id, { ...patient, scope: append }), { timeout: 5000 })
      const waiting = locker.acquire(id, { ...patient, scope: append })
      await again.release()
      await (await waiting).release()
      await lonely.close()
      await own.stop()
    })

    it('may turn into a replica: its refusal is a passing trouble', async () => {
      const lock = await nodes.locker.acquire(id, { ...patient, scope: append })
      await redis.replicaof('127.0.0.1', 1)
      await redis.config('SET', 'replica-serve-stale-data', 'yes')
      await expect(nodes.locker.acquire(id, { ...patient, scope: chunk(0) })).rejects.toMatchObject(UNAVAILABLE)
      await expect(lock.moveTo(1, { waitMs: 0 })).rejects.toMatchObject(UNAVAILABLE)
      await redis.replicaof('NO', 'ONE')
      await lock.moveTo(1, { waitMs: 0 })
      await lock.release()
    })
  })

  const keyOf = (upload: string) => nodes.lockers[0]!.keyOf(upload)
})
