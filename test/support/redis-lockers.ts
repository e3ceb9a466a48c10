import { randomUUID } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import type { UploadLocker } from '../../src/locks/locker.ts'
import { RedisLocker, type RedisLockerOptions } from '../../src/locks/redis-locker.ts'
import { allQuiet, LentRedis } from './lent-redis.ts'

/** Lockers of several nodes that share a Redis. */
export interface LockerNodes {
  readonly lockers: readonly RedisLocker[]
  readonly lent: readonly LentRedis[]
  /** All of them as one, which take turns: every request comes from the next. */
  readonly locker: UploadLocker
  /** What their keys begin with. */
  readonly prefix: string
  settle(): Promise<void>
  /** Closes the lockers, and the clients they were lent. */
  close(): Promise<void>
}

/** Makes a locker for each client. */
export function lockerNodes(
  clients: readonly (Redis | Cluster)[],
  options: Omit<RedisLockerOptions, 'redis' | 'prefix'> = {},
): LockerNodes {
  const prefix = `test-locks-${randomUUID()}:`
  const lent = clients.map((client) => new LentRedis(client))
  const lockers = lent.map((redis) => new RedisLocker({ redis, prefix, ...options }))
  let turn = 0
  const next = (): RedisLocker => {
    turn += 1
    return lockers[turn % lockers.length]!
  }
  return {
    lockers,
    lent,
    locker: {
      leaseMs: lockers[0]?.leaseMs ?? 0,
      acquire: (id, request) => next().acquire(id, request),
      newLock: (id) => next().newLock(id),
    },
    prefix,
    settle: () => allQuiet(lent),
    close: async () => {
      for (const locker of lockers) await locker.close()
      for (const client of clients) client.disconnect()
    },
  }
}
