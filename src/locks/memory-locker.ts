import { randomUUID } from 'node:crypto'
import type { Lock } from '@tus/utils'
import { UploadError } from '../errors.ts'
import { type Claim, type Holder, LockQueue } from './lock-queue.ts'
import type { LockRequest, LockScope, MoveOptions, UploadLock, UploadLocker } from './locker.ts'
import { WholeLock } from './whole-lock.ts'

/** Options of a {@link MemoryLocker}. */
export interface MemoryLockerOptions {
  /** How long a lock made by `newLock` waits, ms. @default 10000 */
  readonly waitMs?: number
}

/**
 * Locks for one process: a queue per upload, first come first served. Nothing polls; whoever waits is woken by the one
 * who lets go. Such a lock cannot be lost.
 */
export class MemoryLocker implements UploadLocker {
  /** None outlives its process. */
  readonly leaseMs = 0
  readonly #queues = new Map<string, LockQueue>()
  readonly #waitMs: number

  constructor(options: MemoryLockerOptions = {}) {
    this.#waitMs = options.waitMs ?? 10_000
  }

  /** How many uploads have somebody who holds or waits. */
  get size(): number {
    return this.#queues.size
  }

  // Not async, here and in `claim`: so a lock reaches its holder before the question to let it go does.
  acquire(id: string, request: LockRequest): Promise<UploadLock> {
    const { scope, waitMs, signal, ask = false, onAsked } = request
    if (signal?.aborted) return Promise.reject(locked(signal.reason))
    const holder: Holder = { token: randomUUID(), scope, chunks: new Set(), onAsked }
    const queue = this.#queue(id)
    const wish = { holder, chunk: scope.kind === 'chunk' ? scope.number : null, moves: false, ask }
    return claim(queue, wish, new MemoryLock(queue, holder), waitMs, signal)
  }

  /** Whether `lock` is, by its token, one that is held on this upload now. */
  holds(id: string, lock: UploadLock): boolean {
    return this.#queues.get(id)?.isLive(lock.token) ?? false
  }

  newLock(id: string): Lock {
    return new WholeLock(this, id, this.#waitMs)
  }

  #queue(id: string): LockQueue {
    const standing = this.#queues.get(id)
    if (standing !== undefined) return standing
    const queue = new LockQueue(() => this.#queues.delete(id))
    this.#queues.set(id, queue)
    return queue
  }
}

class MemoryLock implements UploadLock {
  readonly #queue: LockQueue
  readonly #holder: Holder

  constructor(queue: LockQueue, holder: Holder) {
    this.#queue = queue
    this.#holder = holder
  }

  get token(): string {
    return this.#holder.token
  }

  get scope(): LockScope {
    return this.#holder.scope
  }

  get held(): boolean {
    return this.#queue.isLive(this.#holder.token)
  }

  async moveTo(number: number, options: MoveOptions): Promise<void> {
    if (this.scope.kind !== 'append') throw new Error(`Only an append moves, not a lock of scope "${this.scope.kind}".`)
    if (!this.held) throw locked()
    if (this.#queue.isMoving) throw new Error('This append waits for a chunk already.')
    const { chunks } = this.#holder
    if (options.keep !== true) {
      this.#queue.dropChunks(
        this.#holder,
        [...chunks].filter((held) => held !== number),
      )
    }
    if (chunks.has(number)) return
    if (options.signal?.aborted) throw locked(options.signal.reason)
    const wish = { holder: this.#holder, chunk: number, moves: true, ask: false }
    await claim(this.#queue, wish, undefined, options.waitMs, options.signal)
  }

  async giveBack(number: number): Promise<void> {
    if (this.#holder.chunks.has(number)) this.#queue.dropChunks(this.#holder, [number])
  }

  async release(): Promise<void> {
    this.#queue.release(this.#holder)
  }
}

/** The longest time a timer of Node keeps; a longer one would fire at once. */
const MAX_TIMER_MS = 0x7fff_ffff

/** Waits in the queue until the wish is granted, and resolves with `prize`; or until the time is over or the signal aborts. */
function claim<T>(
  queue: LockQueue,
  wish: Omit<Claim, 'grant' | 'refuse'>,
  prize: T,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let settled = false
    let timer: NodeJS.Timeout | undefined
    const settle = () => {
      settled = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    }
    const grant = () => {
      settle()
      resolve(prize)
    }
    const refuse = () => {
      settle()
      reject(locked(signal?.reason))
    }
    const giveUp = () => {
      refuse()
      queue.leave(waiting)
    }
    const waiting: Claim = { ...wish, grant, refuse }

    queue.enter(waiting)
    if (settled) return
    if (!(waitMs > 0)) {
      giveUp()
      return
    }
    timer = setTimeout(giveUp, Math.min(waitMs, MAX_TIMER_MS))
    signal?.addEventListener('abort', giveUp, { once: true })
  })
}

function locked(cause?: unknown): UploadError {
  return new UploadError('UPLOAD_LOCKED', cause === undefined ? {} : { cause })
}
