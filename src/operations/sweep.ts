import type { Upload } from '../upload.ts'
import { keepAccount } from './account.ts'
import { type ActionOutcome, carryOut, retire } from './carry-out.ts'
import type { Context } from './context.ts'
import { IDEMPOTENCY_MS } from './create.ts'
import { idle } from './expire.ts'
import { load } from './records.ts'
import { isSettledFile, type SweepAction, sweepActions } from './sweep-actions.ts'
import { SWEEP_LOCK, walkUploads } from './walk-uploads.ts'

/** How often the expiry index is asked at the least, ms. */
const LONGEST_DUE_MS = 60_000
const SHORTEST_DUE_MS = 1000
/** What is locked is looked at again this long after its lease is over, ms. */
const AFTER_LEASE_MS = 1000
/** How often it is looked whether another node has made accounts whole, ms. */
const LOOK_MS = 250

/** What the sweeps of a process came to. */
export interface SweepStats {
  /** Walks that went through. */
  readonly done: number
  /** Walks that storage or state broke off. */
  readonly failed: number
  /** Uploads looked at, in all walks. */
  readonly visited: number
  /** How long the last walk took, ms; 0 before the first. */
  readonly lastMs: number
  /** When the last walk that went through ended, ms since the epoch; 0 before the first. */
  readonly lastAt: number
}

/**
 * Walks every upload at start and hourly: takes up completions and digests that a crash interrupted, expires what is due,
 * deletes what ended, forgets tombstones. That makes whole what is known of what owners have unfinished. In between it asks
 * the expiry index.
 */
export class Sweeper {
  readonly #contextOf: () => Context
  readonly #timers: NodeJS.Timeout[] = []
  /** Those of what is looked at once more. */
  readonly #waiting = new Set<NodeJS.Timeout>()
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  #owed = false
  readonly #stats = { done: 0, failed: 0, visited: 0, lastMs: 0, lastAt: 0 }
  /** How many sweeps are queued or under way. */
  #due = 0
  /** When accounts were first found to have been forgotten (on `performance.now`), or null while they are whole. */
  #forgottenAt: number | null = null

  /** `contextOf`: what it works with, once that is complete. */
  constructor(contextOf: () => Context) {
    this.#contextOf = contextOf
  }

  get #context(): Context {
    return this.#contextOf()
  }

  start(): void {
    const { sweepIntervalMs, expiresAfterMs } = this.#context.options
    const dueMs = Math.min(LONGEST_DUE_MS, Math.max(SHORTEST_DUE_MS, Math.floor(expiresAfterMs / 4)))
    this.#timers.push(
      setInterval(() => this.#enqueue(() => this.sweep()), sweepIntervalMs),
      setInterval(() => this.#enqueue(() => this.#expireDue()), dueMs),
    )
    for (const timer of this.#timers) timer.unref()
    this.#enqueue(() => this.sweep())
  }

  /** What the walks of this process came to. */
  get stats(): SweepStats {
    return { ...this.#stats }
  }

  /** Begins nothing more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of [...this.#timers, ...this.#waiting]) clearTimeout(timer)
    await this.#running
  }

  /**
   * Whether accounts are whole. Where they have been forgotten it has storage walked, and waits for that until it has taken
   * `waitMs`, whoever had to wait first.
   */
  async accountsWhole(waitMs: number): Promise<boolean> {
    const { accounts } = this.#context.state
    for (;;) {
      if (await accounts.isWhole()) {
        this.#forgottenAt = null
        return true
      }
      this.#forgottenAt ??= performance.now()
      if (this.#due === 0) this.#enqueue(() => this.sweep())
      const left = this.#forgottenAt + waitMs - performance.now()
      if (left <= 0 || this.#stopped) return false
      await Promise.race([this.#running, pause(left)])
      // Another node may be at it: then there is nothing to wait for here.
      if (!(await accounts.isWhole())) await pause(Math.min(left, LOOK_MS))
    }
  }

  /** Walks every upload once, unless another node is at it. */
  async sweep({ again = false } = {}): Promise<void> {
    this.#owed = true
    const lease = await idle(this.#context, SWEEP_LOCK)
    try {
      if (lease !== null) await this.#counted(() => this.#walk())
      // It may have been killed in the middle of it. If it has not, its lease is renewed, and that is the walk.
      else if (!again) this.#afterLease(() => this.sweep({ again: true }))
      this.#owed = false
    } finally {
      await lease?.release()
    }
  }

  async #counted(walk: () => Promise<void>): Promise<void> {
    const begun = performance.now()
    try {
      await walk()
      this.#stats.done += 1
      this.#stats.lastAt = this.#context.options.now()
    } catch (error) {
      this.#stats.failed += 1
      throw error
    } finally {
      this.#stats.lastMs = performance.now() - begun
    }
  }

  async #walk(): Promise<void> {
    const { storage, options } = this.#context
    const visit = (id: string): Promise<unknown> => {
      this.#stats.visited += 1
      return this.#guarded(() => this.#visit(id), `sweeping upload ${id}`)
    }
    const finished = await walkUploads(this.#context, visit, () => this.#stopped)
    if (finished) await storage.sweep(options.now() - IDEMPOTENCY_MS)
  }

  async #expireDue(): Promise<void> {
    const { state, options } = this.#context
    // A walk that failed, because Redis or S3 was away, is not put off for an hour.
    if (this.#owed || !(await state.accounts.isWhole())) await this.sweep()
    for (const id of await state.due(options.now())) {
      if (this.#stopped) return
      await this.#guarded(() => this.#visit(id), `expiring upload ${id}`)
    }
  }

  async #visit(id: string): Promise<void> {
    const upload = await load(this.#context, id)
    if (upload === null) return
    await keepAccount(this.#context, upload)
    const actions = await sweepActions(this.#context, upload)
    for (const action of actions) await this.#begin(upload, action)
    if (isSettledFile(upload, actions)) await retire(this.#context, upload)
  }

  /** What is quickly done is done, the rest is begun. */
  async #begin(upload: Upload, action: SweepAction): Promise<void> {
    const { id, fileId } = upload.manifest
    const work = () => carryOut(this.#context, upload, action)
    if (action === 'tell') await this.#context.outbox.takeUp(fileId)
    else if (action === 'checksum') this.#aside(work, `the checksum of upload ${id}`)
    else if (action === 'complete') this.#aside(() => this.#complete(id, work), `completing upload ${id}`)
    else await work()
  }

  async #complete(id: string, work: () => Promise<ActionOutcome>): Promise<void> {
    if ((await work()) === 'busy') this.#afterLease(() => this.#visit(id))
  }

  /** Something is locked. Whoever holds it may have been killed: then it is free when the lease is over. */
  #afterLease(work: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(timer)
      this.#enqueue(work)
    }, this.#context.state.locks.leaseMs + AFTER_LEASE_MS)
    timer.unref()
    this.#waiting.add(timer)
  }

  /** What may take as long as a file is large does not hold up the walk. */
  #aside(work: () => Promise<unknown>, where: string): void {
    void this.#guarded(work, where)
  }

  #enqueue(work: () => Promise<void>): void {
    this.#due += 1
    this.#running = this.#running.then(async () => {
      if (!this.#stopped) await this.#guarded(work, 'sweeping')
      this.#due -= 1
    })
  }

  /** Does work, and reports what it throws. Returns that, or undefined. */
  async #guarded(work: () => Promise<unknown>, where: string): Promise<unknown> {
    try {
      await work()
      return undefined
    } catch (error) {
      this.#context.options.onError(error, where)
      return error
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
