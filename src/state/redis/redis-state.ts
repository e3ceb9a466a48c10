import { randomUUID } from 'node:crypto'
import { UploadError } from '../../errors.ts'
import type { LockRequest } from '../../locks/locker.ts'
import type { LockerRedis } from '../../locks/redis/lock-node.ts'
import { RedisLocker, type RedisLockerOptions } from '../../locks/redis-locker.ts'
import type { RedisArgument } from '../../redis/client.ts'
import { answered, type RedisScript, runScript } from '../../redis/script.ts'
import type { Change, Upload } from '../../upload.ts'
import type { CommitOptions, FindOptions, Locked, State } from '../state.ts'
import type { Accounts } from '../accounts.ts'
import type { RateCounter } from '../rate-counter.ts'
import { adoptInto } from './adoption.ts'
import { ExpiryIndex, type IndexRedis } from './expiry-index.ts'
import { recordKeys } from './record-keys.ts'
import { parseView } from './record-text.ts'
import { RedisAccounts } from './redis-accounts.ts'
import { RedisRateCounter } from './redis-rate-counter.ts'
import { refusalError } from './refusal.ts'
import { changeArgs } from './rules-lua.ts'
import { ADOPT, BEGIN_MERGE, CHECK, COMMIT, FIND, LOCK } from './scripts.ts'
import { type Seen, UploadCache } from './upload-cache.ts'

/** How long what a check has written stays, ms. */
const CHECK_KEPT_MS = 60_000
/** How long a merge may take until it begins again, ms: reading back a file of many parts takes its time. */
const MERGE_MS = 15 * 60_000
/** How often a merge begins again where something was forgotten meanwhile. */
const MERGE_TURNS = 5

/** What a {@link RedisState} needs of ioredis' `Redis` or `Cluster`. */
export interface StateRedis extends LockerRedis, IndexRedis {
  del(...keys: string[]): Promise<unknown>
  time(): Promise<readonly (number | string)[]>
}

/** Options of a {@link RedisState}. */
export interface RedisStateOptions extends RedisLockerOptions {
  /** An ioredis `Redis` or `Cluster`. It is lent: it is never closed here. */
  readonly redis: StateRedis
  /** How many uploads this process remembers, so as to fetch only what is new of them. @default 10000 */
  readonly cachedUploads?: number
  /** How many chunks those may have together; one takes about 300 bytes. @default 200000 */
  readonly cachedChunks?: number
}

/**
 * State that many processes share, in Redis 7 or Valkey 8, one server or a Cluster. Each step on an upload is one script
 * on keys of one slot, so it is atomic, and the lock is checked inside it. Nothing that matters stands in Redis alone: it
 * may lose its newest commits or be emptied at any time.
 *
 * Every method throws {@link UploadError} `STATE_UNAVAILABLE` when Redis fails or does not answer in time. What was asked
 * of it may have been done then; all of it may be asked again.
 *
 * @example
 * ```ts
 * const redis = new Redis('redis://localhost:6379')
 * createUploads({ storage, state: new RedisState({ redis }) })
 * ```
 */
export class RedisState implements State {
  readonly locks: RedisLocker
  readonly accounts: Accounts
  readonly rates: RateCounter
  readonly #redis: StateRedis
  readonly #prefix: string
  readonly #timeoutMs: number
  readonly #index: ExpiryIndex
  readonly #cache: UploadCache
  #now: () => number = Date.now
  #skewMs: number | null = null

  /** @throws TypeError naming the option that is wrong */
  constructor(options: RedisStateOptions) {
    const { redis, prefix = 'holdfast:', commandTimeoutMs = 5_000 } = options
    this.locks = new RedisLocker({ ...options, prefix, commandTimeoutMs })
    this.accounts = new RedisAccounts(redis, prefix, commandTimeoutMs)
    this.rates = new RedisRateCounter(redis, prefix, commandTimeoutMs)
    this.#redis = redis
    this.#prefix = prefix
    this.#timeoutMs = commandTimeoutMs
    this.#index = new ExpiryIndex(redis, prefix, commandTimeoutMs)
    this.#cache = new UploadCache({
      maxUploads: wholeNumber('cachedUploads', options.cachedUploads ?? 10_000),
      maxChunks: wholeNumber('cachedChunks', options.cachedChunks ?? 200_000),
    })
  }

  get skewMs(): number | null {
    return this.#skewMs
  }

  async open(now: () => number): Promise<void> {
    this.#now = now
    await this.#readTime().catch(() => {})
  }

  async find(id: string, options: FindOptions = {}): Promise<Upload | null> {
    const seen = this.#cache.get(id)
    if (options.recent === true && seen !== undefined) return seen.upload
    return this.#take(id, await this.#run(FIND, this.#keys(id), readerArgs(seen)), seen)
  }

  async lock(id: string, request: LockRequest): Promise<Locked> {
    const seen = this.#cache.get(id)
    const script = { script: LOCK, keys: this.#keys(id), args: readerArgs(seen) }
    const { lock, reply } = await this.locks.acquireBy(id, request, script)
    try {
      // What was read before it waited is old: whoever was in the way has changed it.
      const upload = reply.length > 0 ? this.#take(id, reply[0], seen) : await this.find(id)
      return { lock, upload }
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  async adopt(upload: Upload): Promise<Upload> {
    const adopted = await this.#adopt(upload, '')
    if (adopted === null) throw new Error('A record that bears no mark was not taken.')
    return adopted
  }

  async merge(id: string, load: () => Promise<Upload | null>): Promise<Upload | null> {
    const [, , , key] = recordKeys(this.#prefix, id)
    for (let turn = 0; turn < MERGE_TURNS; turn += 1) {
      const mark = String(await this.#run(BEGIN_MERGE, [key], [randomUUID(), MERGE_MS]))
      const upload = await load()
      if (upload === null) {
        // Who asks for what is not there leaves nothing here. (Another's merge that bore the mark begins again.)
        await answered(this.#redis.del(key), this.#timeoutMs)
        return null
      }
      const adopted = await this.#adopt(upload, mark)
      if (adopted !== null) return adopted
    }
    throw new UploadError('STATE_UNAVAILABLE', { cause: new Error(`Redis forgets upload ${id} again and again.`) })
  }

  async commit(id: string, changes: readonly Change[], options: CommitOptions): Promise<Upload | null> {
    const { lock, release = false } = options
    if (lock === null) mayLackLock(changes)
    if (lock === null || !release) return this.#commit(id, changes, options)
    let committed: Upload | null = null
    await this.locks.releaseBy(lock, async () => {
      committed = await this.#commit(id, changes, options)
      return committed !== null
    })
    return committed
  }

  /** Asked regularly: clocks drift, and Redis may not have been there at the beginning. */
  async due(at: number): Promise<string[]> {
    await this.#readTime()
    return this.#index.due(at)
  }

  async forget(id: string): Promise<void> {
    await Promise.all([answered(this.#redis.del(...this.#keys(id)), this.#timeoutMs), this.#index.leave(id)])
    this.#cache.drop(id)
  }

  /** Writes, too: a replica, or a server that is full, answers and takes nothing. */
  async check(): Promise<void> {
    await this.#run(CHECK, [`${this.#prefix}check`], [CHECK_KEPT_MS])
  }

  /** Ends what is this state's own; the client it was given stays open. */
  async close(): Promise<void> {
    this.#cache.clear()
    await this.locks.close()
  }

  async #adopt(upload: Upload, mark: string): Promise<Upload | null> {
    const { id } = upload.manifest
    const seen = this.#cache.get(id)
    const view = await adoptInto((args) => this.#run(ADOPT, this.#keys(id), args), upload, readerArgs(seen), mark)
    if (view === null) return null
    const adopted = this.#cache.take(id, view, seen)
    await this.#index.enter(adopted)
    return adopted
  }

  async #commit(id: string, changes: readonly Change[], options: CommitOptions): Promise<Upload | null> {
    const { lock, expiresAt, release = false } = options
    const seen = this.#cache.get(id)
    const head = [lock?.token ?? '', lock !== null && release ? 1 : 0, expiresAt, ...readerArgs(seen)]
    const keys = [this.locks.keyOf(id), ...this.#keys(id)]
    const reply = await this.#run(COMMIT, keys, [...head, ...changes.flatMap(changeArgs)])
    if (reply === null) return this.#take(id, null, seen)
    const [code, ...facts] = reply as readonly [number, ...(readonly (number | string)[])]
    if (code < 0) throw refusalError(code, facts)
    return this.#take(id, facts[0], seen)
  }

  async #readTime(): Promise<void> {
    const askedAt = this.#now()
    const [seconds, microseconds] = await answered(this.#redis.time(), this.#timeoutMs)
    const between = (askedAt + this.#now()) / 2
    this.#skewMs = Math.round(Number(seconds) * 1000 + Number(microseconds) / 1000 - between)
  }

  #keys(id: string): readonly string[] {
    return recordKeys(this.#prefix, id)
  }

  #run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return answered(runScript(this.#redis, script, keys, args), this.#timeoutMs)
  }

  /** The upload that a script's view shows; null is no view. */
  #take(id: string, view: unknown, seen: Seen | undefined): Upload | null {
    if (view !== null) return this.#cache.take(id, parseView(view), seen)
    this.#cache.drop(id)
    return null
  }
}

/** What a script is told of its reader: the epoch it has read of, how many entries it has. */
function readerArgs(seen: Seen | undefined): readonly [epoch: string, entries: number] {
  return seen === undefined ? ['', 0] : [seen.epoch, seen.upload.ledger.chunks.size]
}

function mayLackLock(changes: readonly Change[]): void {
  const needy = changes.find((change) => change.type !== 'digest' && change.type !== 'touch')
  if (needy !== undefined) throw new Error(`A change of type "${needy.type}" is committed under a lock only.`)
}

function wholeNumber(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError(`holdfast: the option \`${name}\` must be a whole number, 0 or more: ${value}`)
}
