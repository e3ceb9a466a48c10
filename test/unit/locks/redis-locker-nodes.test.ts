import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { LOCK_LUA } from '../../../src/locks/redis/lock-lua.ts'
import { ACQUIRE_ARGUMENTS } from '../../../src/locks/redis/lock-scripts.ts'
import { RedisLocker } from '../../../src/locks/redis-locker.ts'
import { RedisScript } from '../../../src/redis/script.ts'
import { append, chunk, FOREVER_MS, whole } from '../../support/locker-suite.ts'
import { type LockerNodes, lockerNodes } from '../../support/redis-lockers.ts'
import { describeWithOwnRedis, startRedis } from '../../support/services/own-redis.ts'
import type { RedisServer } from '../../support/services/redis-server.ts'

const LOCKED = { code: 'UPLOAD_LOCKED' }
const UNAVAILABLE = { code: 'STATE_UNAVAILABLE' }
const patient = { waitMs: FOREVER_MS }

describeWithOwnRedis('RedisLocker, on several nodes', () => {
  let server: RedisServer
  let redis: Redis
  let nodes: LockerNodes
  let here: RedisLocker
  let there: RedisLocker
  let id: string

  beforeAll(async () => {
    server = await startRedis()
    redis = new Redis(server.url)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })
  beforeEach(async () => {
    id = randomUUID()
    const clients = [new Redis(server.url), new Redis(server.url)]
    // What a client says by itself when it connects is not counted.
    for (const client of clients) await client.ping()
    nodes = lockerNodes(clients)
    ;[here, there] = nodes.lockers as [RedisLocker, RedisLocker]
  })
  afterEach(() => nodes.close())

  const keys = () => redis.keys(`${nodes.prefix}*`)

  /** How often Redis was sent a command since the statistics were reset. */
  async function calls(name: string): Promise<number> {
    const stats = await redis.info('commandstats')
    return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }

  const subscribers = async () => ((await redis.pubsub('CHANNELS', `${nodes.prefix}*`)) as string[]).length

  it('takes one command to acquire, one to move, one to release, and no listener, where nobody is in the way', async () => {
    const first = await here.acquire(id, { ...patient, scope: append })
    await first.moveTo(0, patient)
    await first.release()
    const before = await redis.info('clients')
    await redis.config('RESETSTAT')
    const lock = await here.acquire(id, { ...patient, scope: append })
    expect(await calls('evalsha')).toBe(1)
    await lock.moveTo(0, patient)
    expect(await calls('evalsha')).toBe(2)
    await lock.moveTo(0, patient)
    expect(await calls('evalsha')).toBe(2)
    await lock.release()
    expect(await calls('evalsha')).toBe(3)
    expect([await calls('eval'), await calls('subscribe')]).toEqual([0, 0])
    const connected = /connected_clients:\d+/
    expect(connected.exec(await redis.info('clients'))?.[0]).toBe(connected.exec(before)?.[0])
  })

  it('takes one command to be refused where it may not wait, and no listener', async () => {
    const lock = await here.acquire(id, { ...patient, scope: append })
    const writer = await there.acquire(id, { ...patient, scope: chunk(0) })
    await lock.moveTo(1, patient)
    await redis.config('RESETSTAT')
    await expect(there.acquire(id, { scope: whole, waitMs: 0, ask: true })).rejects.toMatchObject(LOCKED)
    expect(await calls('evalsha')).toBe(1)
    await expect(lock.moveTo(0, { waitMs: 0 })).rejects.toMatchObject(LOCKED)
    expect(await calls('evalsha')).toBe(2)
    expect(await subscribers()).toBe(0)
    await lock.release()
    await writer.release()
  })

  it('lets one in at a time, however many fight for it', async () => {
    let inside = 0
    const entered: number[] = []
    const fight = async (locker: RedisLocker, n: number) => {
      const lock = await locker.acquire(id, { ...patient, scope: n % 3 === 0 ? whole : append, ask: n % 2 === 0 })
      inside += 1
      entered.push(inside)
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
      await lock.release()
    }
    await Promise.all(Array.from({ length: 300 }, (_, n) => fight(n % 2 === 0 ? here : there, n)))
    expect(entered).toEqual(Array.from({ length: 300 }, () => 1))
    expect([here.size, there.size]).toEqual([0, 0])
    expect(await keys()).toEqual([])
  })

  it('serves all nodes in the order in which they came', async () => {
    const holder = await here.acquire(id, { ...patient, scope: whole })
    const served: number[] = []
    const all: Promise<void>[] = []
    for (let n = 0; n < 20; n += 1) {
      const waiting = nodes.locker.acquire(id, { ...patient, scope: n % 2 === 0 ? append : whole })
      all.push(
        waiting.then((lock) => {
          served.push(n)
          return lock.release()
        }),
      )
      await nodes.settle()
    }
    await holder.release()
    await Promise.all(all)
    expect(served).toEqual(Array.from({ length: 20 }, (_, n) => n))
  })

  it('leaves no key behind, and none that would stay where a process is killed', async () => {
    const lock = await here.acquire(id, { ...patient, scope: append })
    await lock.moveTo(0, patient)
    const writer = await here.acquire(id, { ...patient, scope: chunk(1) })
    const leaving = new AbortController()
    const attempts = [
      there.acquire(id, { scope: whole, waitMs: 20 }),
      there.acquire(id, { ...patient, scope: chunk(1), signal: leaving.signal }),
      there.acquire(id, { scope: append, waitMs: 0 }),
      lock.moveTo(1, { waitMs: 20 }),
    ]
    const all = Promise.allSettled(attempts)
    await nodes.settle()
    const [key = ''] = await keys()
    expect(await redis.pttl(key)).toBeGreaterThan(15_000)
    expect(await redis.pttl(key)).toBeLessThanOrEqual(16_000)
    leaving.abort()
    expect((await all).map(({ status }) => status)).toEqual(attempts.map(() => 'rejected'))
    await lock.release()
    await writer.release()
    expect(await keys()).toEqual([])
  })

  it('hands a lock over before it asks for it back, also where both happen at once', async () => {
    const order: string[] = []
    const first = await here.acquire(id, { ...patient, scope: append })
    const second = there
      .acquire(id, { ...patient, scope: append, onAsked: () => order.push('asked') })
      .then(() => order.push('granted'))
    await nodes.settle()
    void here.acquire(id, { ...patient, scope: append, ask: true }).catch(() => {})
    await nodes.settle()
    await first.release()
    await second
    await nodes.settle()
    expect(order).toEqual(['granted', 'asked'])
  })

  it('tells by the token whether a lock is live, to other scripts', async () => {
    const lock = await here.acquire(id, { ...patient, scope: append })
    const waiting = there.acquire(id, { ...patient, scope: whole })
    await nodes.settle()
    const fields = await redis.hgetall(here.keyOf(id))
    const [seconds = 0, micros = 0] = (await redis.time()).map(Number)
    const now = seconds * 1000 + Math.floor(micros / 1000)
    const end = Number.parseInt(fields[`h:${lock.token}`] ?? '', 10)
    expect(fields[`h:${lock.token}`]).toMatch(/^\d+\|/)
    expect(end - now).toBeGreaterThan(14_000)
    const isLive = (token: string, at: number) =>
      redis.eval(
        `${LOCK_LUA} return locks.isLive(KEYS[1], ARGV[1], tonumber(ARGV[2])) and 1 or 0`,
        1,
        here.keyOf(id),
        token,
        at,
      )
    expect(await Promise.all([isLive(lock.token, now), isLive(randomUUID(), now)])).toEqual([1, 0])
    expect(await Promise.all([isLive(lock.token, end - 1), isLive(lock.token, end)])).toEqual([1, 0])
    await lock.release()
    expect(await isLive(lock.token, now)).toBe(0)
    await (await waiting).release()
  })

  describe('where messages are lost', () => {
    /** Holds back, or refuses, what the locker's listener subscribes to. */
    function withSubscribe(subscribe: (really: () => Promise<unknown>) => Promise<unknown>) {
      const client = new Redis(server.url)
      let held: Promise<void> = Promise.resolve()
      const answers = {
        /** Answers of Redis do not arrive until the function it returns is called. */
        holdBack: () => {
          let arrive = () => {}
          held = new Promise((resolve) => {
            arrive = resolve
          })
          return arrive
        },
      }
      const lender = {
        evalsha: vi.fn(async (...args: Parameters<typeof client.evalsha>) => {
          const answer = await client.evalsha(...args)
          await held
          return answer
        }),
        eval: (...args: Parameters<typeof client.eval>) => client.eval(...args),
        duplicate: () => {
          const duplicate = client.duplicate()
          return {
            subscribe: (channel: string) => subscribe(() => duplicate.subscribe(channel)),
            on: (event: string, listener: (...args: never[]) => void) =>
              duplicate.on(event, listener as (...args: unknown[]) => void),
            disconnect: () => duplicate.disconnect(),
          }
        },
      }
      const locker = new RedisLocker({ redis: lender, prefix: nodes.prefix })
      const close = async () => {
        await locker.close()
        client.disconnect()
      }
      return { locker, close, answers, sent: () => lender.evalsha.mock.calls.length }
    }

    const deaf = () => withSubscribe(() => Promise.reject(new Error('NOPERM')))

    it('gets in by looking again, a few times a second and not more', async () => {
      const { locker, close, sent } = deaf()
      const lock = await here.acquire(id, { ...patient, scope: append })
      const waiting = locker.acquire(id, { ...patient, scope: append })
      await new Promise((resolve) => setTimeout(resolve, 1000))
      expect(sent()).toBeGreaterThan(2)
      expect(sent()).toBeLessThan(7)
      await lock.release()
      const releasedAt = performance.now()
      await (await waiting).release()
      expect(performance.now() - releasedAt).toBeLessThan(600)
      await close()
    })

    it('gets its next chunk by looking again', async () => {
      const { locker, close } = deaf()
      const writer = await here.acquire(id, { ...patient, scope: chunk(1) })
      const lock = await locker.acquire(id, { ...patient, scope: append })
      const moving = lock.moveTo(1, patient)
      await nodes.settle()
      await writer.release()
      await moving
      await lock.release()
      await close()
    })

    it('is asked all the same, a little later', async () => {
      const { locker, close } = deaf()
      const onAsked = vi.fn()
      const lock = await locker.acquire(id, { ...patient, scope: append, onAsked })
      await expect(here.acquire(id, { scope: whole, waitMs: 0, ask: true })).rejects.toMatchObject(LOCKED)
      await vi.waitFor(() => expect(onAsked).toHaveBeenCalledOnce(), { timeout: 3000 })
      await lock.release()
      await close()
    })

    it('is asked as soon as it listens, where that was before', async () => {
      let listen = () => {}
      const allowed = new Promise<void>((resolve) => {
        listen = resolve
      })
      const { locker, close, sent } = withSubscribe(async (really) => {
        await allowed
        return really()
      })
      const onAsked = vi.fn()
      const lock = await locker.acquire(id, { ...patient, scope: append, onAsked })
      await expect(here.acquire(id, { scope: whole, waitMs: 0, ask: true })).rejects.toMatchObject(LOCKED)
      const before = sent()
      listen()
      await vi.waitFor(() => expect(onAsked).toHaveBeenCalledOnce(), { interval: 5 })
      expect(sent()).toBe(before + 1)
      await lock.release()
      await close()
    })

    it('looks again when it begins to listen, also where an answer from before is still on its way', async () => {
      let listen = () => {}
      const allowed = new Promise<void>((resolve) => {
        listen = resolve
      })
      const { locker, close, answers } = withSubscribe(async (really) => {
        await allowed
        return really()
      })
      const first = await here.acquire(id, { ...patient, scope: append })
      await (await locker.acquire(randomUUID(), { ...patient, scope: append, onAsked: () => {} })).release()
      const arrive = answers.holdBack()
      const waiting = locker.acquire(id, { ...patient, scope: append })
      await vi.waitFor(async () => expect(Object.keys(await redis.hgetall(here.keyOf(id))).join()).toContain('w:'))
      // Nobody listens when it is granted.
      await first.release()
      listen()
      await vi.waitFor(async () => expect(await subscribers()).toBe(1), { interval: 5 })
      await redis.ping()
      arrive()
      const arrivedAt = performance.now()
      await (await waiting).release()
      expect(performance.now() - arrivedAt).toBeLessThan(200)
      await close()
    })

    it('listens anew when the connection is cut, and misses nothing', async () => {
      const onAsked = vi.fn()
      const lock = await here.acquire(id, { ...patient, scope: append, onAsked })
      const waiting = there.acquire(id, { ...patient, scope: chunk(0) })
      await (await waiting).release()
      const queued = there.acquire(id, { ...patient, scope: append })
      await nodes.settle()
      await redis.client('KILL', 'TYPE', 'pubsub')
      await expect(there.acquire(id, { scope: whole, waitMs: 0, ask: true })).rejects.toMatchObject(LOCKED)
      await vi.waitFor(() => expect(onAsked).toHaveBeenCalledOnce(), { timeout: 3000 })
      await lock.release()
      await (await queued).release()
    })

    it('looks by itself when a lease ends that nobody renews, and hardly before', async () => {
      const { locker, close, sent } = withSubscribe((really) => really())
      await redis.eval(
        `${LOCK_LUA} return locks.acquire(KEYS[1], locks.now(), ARGV)`,
        1,
        here.keyOf(id),
        randomUUID(),
        700,
        'w',
        '',
        '0',
        '-',
        '1',
        'nobody',
      )
      const started = performance.now()
      const lock = await locker.acquire(id, { ...patient, scope: append })
      expect(performance.now() - started).toBeGreaterThan(500)
      expect(performance.now() - started).toBeLessThan(1100)
      expect(sent()).toBeLessThanOrEqual(4)
      await lock.release()
      await close()
    })
  })

  describe('with scripts of others', () => {
    const COUNTED = new RedisScript(`${LOCK_LUA}
local reply = locks.acquire(KEYS[1], locks.now(), ARGV)
if locks.holds(reply) then reply[#reply + 1] = redis.call('INCRBY', KEYS[2], ARGV[${ACQUIRE_ARGUMENTS + 1}]) end
return reply`)

    it('acquires and does more in one command, where it is granted at once', async () => {
      const by = { script: COUNTED, keys: [`${nodes.prefix}{${id}}:count`], args: [5] }
      await redis.config('RESETSTAT')
      const first = await here.acquireBy(id, { ...patient, scope: append }, by)
      expect(first.reply).toEqual([5])
      expect(await calls('evalsha')).toBe(1)
      const waiting = there.acquireBy(id, { ...patient, scope: append }, by)
      await nodes.settle()
      await first.lock.release()
      const second = await waiting
      expect(second.reply).toEqual([])
      await second.lock.release()
      expect(await redis.getdel(by.keys[0] ?? '')).toBe('5')
    })

    const releaseInRedis = (token: string) =>
      redis.eval(`${LOCK_LUA} return locks.release(KEYS[1], locks.now(), ARGV[1])`, 1, here.keyOf(id), token)

    it('takes a lock for released that a script gave back, and loses nothing', async () => {
      const onLost = vi.fn()
      const lock = await here.acquire(id, { ...patient, scope: append, onLost })
      const waiting = there.acquire(id, { ...patient, scope: append })
      await nodes.settle()
      const { sent } = nodes.lent[0]!
      await here.releaseBy(lock, async () => (await releaseInRedis(lock.token)) === 1)
      expect(lock.held).toBe(false)
      expect(here.size).toBe(0)
      await lock.release()
      expect(nodes.lent[0]!.sent).toBe(sent)
      const next = await waiting
      expect(next.held).toBe(true)
      expect(onLost).not.toHaveBeenCalled()
      await next.release()
    })

    it.each<[string, () => Promise<boolean>]>([
      ['did not give it back', async () => false],
      [
        'failed',
        async () => {
          throw new Error('no')
        },
      ],
    ])('goes on holding a lock where the script %s', async (_, step) => {
      const lock = await here.acquire(id, { ...patient, scope: append })
      await here.releaseBy(lock, step).catch(() => {})
      expect(lock.held).toBe(true)
      await expect(there.acquire(id, { scope: append, waitMs: 0 })).rejects.toMatchObject(LOCKED)
      await lock.release()
      await (await there.acquire(id, { scope: append, waitMs: 0 })).release()
    })

    it('does not take for lost what is being given back, and finds a loss that it is not', async () => {
      const quick = new RedisLocker({ redis: new LentClient(redis), prefix: nodes.prefix, leaseMs: 300 })
      const onLost = vi.fn()
      const lock = await quick.acquire(id, { ...patient, scope: append, onLost })
      await quick.releaseBy(lock, async () => {
        await releaseInRedis(lock.token)
        await new Promise((resolve) => setTimeout(resolve, 400))
        return true
      })
      expect(onLost).not.toHaveBeenCalled()
      const other = await quick.acquire(id, { ...patient, scope: append, onLost })
      const failed = quick.releaseBy(other, async () => {
        await releaseInRedis(other.token)
        throw new Error('the answer was lost')
      })
      await expect(failed).rejects.toThrow('the answer was lost')
      await vi.waitFor(() => expect(onLost).toHaveBeenCalledOnce())
      await quick.close()
    })
  })

  describe('its client', () => {
    it('may put a prefix before all keys', async () => {
      const clients = [0, 1].map(() => new Redis(server.url, { keyPrefix: 'app:' }))
      const prefixed = lockerNodes(clients)
      const onAsked = vi.fn()
      const lock = await prefixed.locker.acquire(id, { ...patient, scope: append, onAsked })
      const waiting = prefixed.locker.acquire(id, { ...patient, scope: append, ask: true })
      await prefixed.settle()
      expect(await redis.keys(`app:${prefixed.prefix}*`)).toHaveLength(1)
      expect(onAsked).toHaveBeenCalledOnce()
      await lock.release()
      await (await waiting).release()
      await prefixed.close()
    })

    it.each([{ enableOfflineQueue: false }, { lazyConnect: true }, { enableOfflineQueue: false, lazyConnect: true }])(
      'may be one with %o',
      async (options) => {
        const client = new Redis(server.url, { ...options, lazyConnect: true })
        await client.connect()
        client.options.lazyConnect = options.lazyConnect ?? false
        const locker = new RedisLocker({ redis: client, prefix: nodes.prefix })
        const onAsked = vi.fn()
        const lock = await locker.acquire(id, { ...patient, scope: append, onAsked })
        await vi.waitFor(async () => expect(await subscribers()).toBe(1))
        const waiting = there.acquire(id, { ...patient, scope: append, ask: true })
        await vi.waitFor(() => expect(onAsked).toHaveBeenCalledOnce(), { timeout: 500 })
        await lock.release()
        await (await waiting).release()
        await locker.close()
        await client.quit()
      },
    )

    it('stays open when the locker is closed, whose listener is gone then', async () => {
      const client = new Redis(server.url)
      const locker = new RedisLocker({ redis: client, prefix: nodes.prefix })
      const holder = await locker.acquire(id, { ...patient, scope: append, onAsked: () => {} })
      const waiting = locker.acquire(id, { ...patient, scope: append })
      waiting.catch(() => {})
      await vi.waitFor(async () => expect(await subscribers()).toBe(1))
      await locker.close()
      await expect(waiting).rejects.toMatchObject(UNAVAILABLE)
      await expect(locker.acquire(id, { ...patient, scope: append })).rejects.toMatchObject(UNAVAILABLE)
      await vi.waitFor(async () => expect(await subscribers()).toBe(0))
      await holder.release()
      expect(await keys()).toEqual([])
      await locker.close()
      expect(await client.ping()).toBe('PONG')
      client.disconnect()
    })

    it('hears nothing that is no message of ours', async () => {
      const lock = await here.acquire(id, { ...patient, scope: append, onAsked: () => {} })
      await vi.waitFor(async () => expect(await subscribers()).toBe(1))
      const [channel = ''] = (await redis.pubsub('CHANNELS', `${nodes.prefix}*`)) as string[]
      const waiting = here.acquire(id, { ...patient, scope: append })
      for (const text of [
        '',
        'g',
        'g|',
        `x|${lock.token}`,
        `g|${randomUUID()}`,
        `m|${lock.token}`,
        `m|${lock.token}|9`,
      ]) {
        await redis.publish(channel, text)
      }
      await nodes.settle()
      expect(lock.held).toBe(true)
      await lock.release()
      await (await waiting).release()
    })
  })

  describe('its options', () => {
    it.each([
      ['leaseMs', 99],
      ['leaseMs', Number.POSITIVE_INFINITY],
      ['waitMs', -1],
      ['commandTimeoutMs', 0],
      ['commandTimeoutMs', 1.5],
    ])('refuses %s: %d, by its name', (name, value) => {
      expect(() => new RedisLocker({ redis, [name]: value })).toThrow(new RegExp(`\`${name}\``))
    })

    it('refuses to go without a client', () => {
      expect(() => new RedisLocker({} as never)).toThrow(/`redis`/)
    })
  })
})

/** A client that is only lent: what it duplicates is its own. */
class LentClient {
  readonly #client: Redis

  constructor(client: Redis) {
    this.#client = client
  }

  evalsha(...args: Parameters<Redis['evalsha']>): Promise<unknown> {
    return this.#client.evalsha(...args)
  }

  eval(...args: Parameters<Redis['eval']>): Promise<unknown> {
    return this.#client.eval(...args)
  }

  duplicate(): Redis {
    return this.#client.duplicate()
  }
}
