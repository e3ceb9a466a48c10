import { partsOf } from '../concatenation.ts'
import { isUploadError } from '../errors.ts'
import { digestOf, isGone, isOpen, mayExpire, type Upload } from '../upload.ts'
import { keepAccount } from './account.ts'
import { drive } from './complete.ts'
import type { Context } from './context.ts'
import { IDEMPOTENCY_MS } from './create.ts'
import { discard, expireFileIfDue, expireIfDue, idle } from './expire.ts'
import { putChecksum, wantsDigest } from './keep-digest.ts'
import { isTombstoneOver, load } from './records.ts'

/** What is locked by whoever sweeps; no upload's id. */
const SWEEP = 'sweep'

/** How often the expiry index is asked at the least, ms. */
const LONGEST_DUE_MS = 60_000
const SHORTEST_DUE_MS = 1000
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
    for (const timer of this.#timers) clearInterval(timer)
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
  async sweep(): Promise<void> {
    this.#owed = true
    const lease = await idle(this.#context, SWEEP)
    try {
      if (lease !== null) await this.#counted(() => this.#walk())
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
    const { storage, state, options } = this.#context
    const walk = await state.accounts.beginWalk()
    let isWhole = true
    for await (const id of storage.list()) {
      if (this.#stopped) return
      this.#stats.visited += 1
      const error = await this.#guarded(() => this.#visit(id), `sweeping upload ${id}`)
      // What storage could not say is entered when it is next touched; what state could not take would be missed.
      if (isUploadError(error) && error.code === 'STATE_UNAVAILABLE') isWhole = false
    }
    if (isWhole) await state.accounts.endWalk(walk)
    await storage.sweep(options.now() - IDEMPOTENCY_MS)
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
    if (isGone(upload)) await this.#bury(upload)
    else if (upload.status === 'completing') this.#complete(id)
    else if (mayExpire(upload)) {
      const now = await expireIfDue(this.#context, upload)
      // Nobody sends the bytes of what is made of others.
      if (isOpen(now) && partsOf(now) !== null) this.#complete(id)
    } else if (await expireFileIfDue(this.#context, upload)) return
    else await this.#lookAfter(upload)
  }

  #complete(id: string): void {
    const complete = async (): Promise<void> => {
      await drive(this.#context, id).catch((error: unknown) => {
        // That it must not be completed is nothing that went wrong.
        if (error !== this.#context.vetoes.of(id)) throw error
      })
    }
    this.#aside(complete, `completing upload ${id}`)
  }

  /** Of a finished file: who is still to be told of it, and its checksum. */
  async #lookAfter(upload: Upload): Promise<void> {
    const { id, fileId } = upload.manifest
    await this.#context.outbox.takeUp(fileId)
    if (wantsDigest(this.#context, upload))
      this.#aside(() => this.#context.digests.follow(id), `the checksum of upload ${id}`)
    else await this.#retire(upload)
  }

  /** A crash may have come between an end and the deletion of its bytes. */
  async #bury(upload: Upload): Promise<void> {
    const { id } = upload.manifest
    // The record is all that tells of bytes that could not be deleted yet.
    const isDiscarded = await discard(this.#context, upload)
    if (!isDiscarded || !isTombstoneOver(this.#context, upload)) return
    const lock = await idle(this.#context, id)
    if (lock === null) return
    try {
      await this.#context.storage.forget(id)
      await this.#context.state.forget(id)
    } finally {
      await lock.release()
    }
  }

  /** Finished, its digest known, it needs no memory: who asks for it loads it again. */
  async #retire(upload: Upload): Promise<void> {
    // A kill may have come between the digest and the file's record.
    const digest = digestOf(upload)
    if (digest !== null) await putChecksum(this.#context, upload.manifest.fileId, digest)
    await this.#context.state.forget(upload.manifest.id)
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
