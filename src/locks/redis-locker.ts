import type { Lock } from '@tus/utils'
import { uploadKey } from '../redis/key.ts'
import type { LockRequest, UploadLock, UploadLocker } from './locker.ts'
import { LockNode, type LockerRedis } from './redis/lock-node.ts'
import type { AcquireScript } from './redis/lock-scripts.ts'
import type { Party } from './redis/party.ts'
import { RedisLock } from './redis/redis-lock.ts'
import { WholeLock } from './whole-lock.ts'

/** Options of a {@link RedisLocker}. */
export interface RedisLockerOptions {
  /** A `Redis` or `Cluster` of ioredis. It is lent: `close()` leaves it open. */
  readonly redis: LockerRedis
  /** What all keys and channels begin with. @default 'holdfast:' */
  readonly prefix?: string
  /**
   * How long a lock outlives a process that is killed, ms. A living one renews it three times in that time, and loses it
   * where it cannot. @default 15000
   */
  readonly leaseMs?: number
  /** How long a lock made by `newLock` waits, ms. @default 10000 */
  readonly waitMs?: number
  /** How long Redis may take for an answer, ms. @default 5000 */
  readonly commandTimeoutMs?: number
  /** Told of every upload whose lock was lost while it was held. @default nobody is told */
  readonly onLost?: (id: string) => void
}

/** A lock that was got by a script that did more in the same step. */
export interface AcquiredBy {
  readonly lock: UploadLock
  /** What the script appended to the lock's reply; empty where the lock had to be waited for. */
  readonly reply: readonly unknown[]
}

/**
 * Locks for many processes, in Redis 7 or Valkey 8, alone or as a Cluster: one queue per upload across all of them, first
 * come first served. Whoever waits is woken by a message, or looks again when a lease ends.
 *
 * A lock is a lease. It is renewed while its process lives, and it can be lost: when Redis is flushed or fails over, when
 * it is away for longer than the lease, or when the process is stopped that long. `held` and `onLost` say so.
 *
 * @example
 * ```ts
 * new Server({ path: '/files', datastore, locker: new RedisLocker({ redis: new Redis(), prefix: 'tus:' }) })
 * ```
 */
export class RedisLocker implements UploadLocker {
  readonly leaseMs: number
  readonly #prefix: string
  readonly #waitMs: number
  readonly #node: LockNode
  readonly #parties = new WeakMap<UploadLock, Party>()

  /** @throws TypeError naming the option that is wrong */
  constructor(options: RedisLockerOptions) {
    const { redis, prefix = 'holdfast:', onLost = () => {} } = options
    if (typeof redis?.evalsha !== 'function') {
      throw new TypeError('holdfast: the option `redis` is missing: pass a Redis or a Cluster of ioredis')
    }
    this.#prefix = prefix
    this.#waitMs = atLeast('waitMs', 0, options.waitMs ?? 10_000)
    this.leaseMs = atLeast('leaseMs', 100, options.leaseMs ?? 15_000)
    this.#node = new LockNode({
      redis,
      prefix,
      leaseMs: this.leaseMs,
      commandTimeoutMs: atLeast('commandTimeoutMs', 1, options.commandTimeoutMs ?? 5000),
      onLost,
    })
  }

  /** How many locks this process holds or waits for. */
  get size(): number {
    return this.#node.size
  }

  /**
   * Waits for a lock, first come first served, all processes in one queue.
   * @throws UploadError `UPLOAD_LOCKED` after `waitMs`, or when `signal` aborts; `STATE_UNAVAILABLE` when Redis refuses
   *   or does not answer
   */
  async acquire(id: string, request: LockRequest): Promise<UploadLock> {
    return (await this.acquireBy(id, request)).lock
  }

  newLock(id: string): Lock {
    return new WholeLock(this, id, this.#waitMs)
  }

  /** The key of an upload's locks: KEYS[1] of every script that locks. */
  keyOf(id: string): string {
    return uploadKey(this.#prefix, id, 'lock')
  }

  /**
   * Acquires as {@link acquire}, by a script that does more in the same step: {@link LOCK_LUA}, and then
   *
   *     local reply = locks.acquire(KEYS[1], locks.now(), ARGV)
   *     if locks.holds(reply) then reply[#reply + 1] = … end
   *     return reply
   *
   * The script's own keys begin at KEYS[2], its arguments behind the lock's {@link ACQUIRE_ARGUMENTS}.
   */
  async acquireBy(id: string, request: LockRequest, script?: AcquireScript): Promise<AcquiredBy> {
    const party = await this.#node.acquire(id, this.keyOf(id), request, script)
    const lock = new RedisLock(party, this.#node)
    this.#parties.set(lock, party)
    return { lock, reply: party.reply }
  }

  /**
   * Runs a step that gives a lock back in Redis by itself (`locks.release(KEYS[1], now, token)`), and says whether it
   * did. Where it did, the lock is released; else, and where it throws, it is held as before.
   */
  async releaseBy(lock: UploadLock, step: () => Promise<boolean>): Promise<void> {
    const party = this.#parties.get(lock)
    if (party === undefined || party.isOver) {
      await step()
      return
    }
    party.isLeaving = true
    try {
      if (!(await step())) return
      party.isKnown = false
      this.#node.end(party)
    } finally {
      party.isLeaving = false
      this.#node.plan(party)
    }
  }

  /** Refuses all who wait, and ends subscriber and timer. A lock that is still held is not renewed any more. */
  close(): Promise<void> {
    return this.#node.close()
  }
}

/** The longest a timer of Node waits; a longer one fires at once. */
const MAX_TIMER_MS = 0x7fff_ffff

function atLeast(name: string, least: number, value: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= MAX_TIMER_MS) return value
  throw new TypeError(
    `holdfast: the option \`${name}\` must be a whole number from ${least} to ${MAX_TIMER_MS}, not ${String(value)}`,
  )
}
