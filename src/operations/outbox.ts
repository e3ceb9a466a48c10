import { type Backoff, backoffPause, pause } from '../backoff.ts'
import type { Deliveries, DeliveryStatus, Receiver } from '../deliveries.ts'
import { isUploadError } from '../errors.ts'
import type { FileRecord, FileRepository, OwedFile } from '../files.ts'
import type { UploadLock, UploadLocker } from '../locks/locker.ts'
import { Turns } from '../turns.ts'
import { WebhookGoneError } from '../webhooks/webhook.ts'

/** Tells a receiver of a file. It throws where that has to be tried again. */
export type Deliver = (file: FileRecord, signal: AbortSignal) => unknown

/** How long a delivery is tried. Times in ms. */
export interface DeliveryPolicy extends Backoff {
  /** A process that began a delivery tries again for so long; after that each walk of the sweeper tries once. */
  readonly patienceMs: number
  /** It is given up when the file is older than this, and it has failed once more. */
  readonly giveUpAfterMs: number
  /** How long a delivery that somebody else is at is waited for: longer than the lease of one that was killed. */
  readonly takeOverWaitMs: number
}

const POLICY: DeliveryPolicy = {
  baseMs: 1000,
  longestPauseMs: 120_000,
  patienceMs: 15 * 60_000,
  giveUpAfterMs: 3 * 24 * 3_600_000,
  takeOverWaitMs: 20_000,
}

/** Attempts at the same time. */
const PARALLEL = 16
/** Deliveries that a process has in hand; any more are left to the walks. */
const MOST = 10_000

/** What an {@link Outbox} works with. */
export interface OutboxHost {
  readonly files: FileRepository
  readonly locks: UploadLocker
  readonly receivers: ReadonlyMap<Receiver, Deliver>
  /** Does what a shutdown waits for. */
  readonly run: <T>(work: () => Promise<T>) => Promise<T>
  readonly now: () => number
  readonly onError: (error: unknown, where: string) => void
}

/**
 * Tells of finished files, at least once each. That somebody is to be told stands in the file's record from the moment it
 * is there, which is what makes the file one; that he was told stands there after he was. Killed in between, he is told
 * again: by the walk of the sweeper, at the next start or within the hour.
 */
export class Outbox {
  readonly #host: OutboxHost
  readonly #policy: DeliveryPolicy
  readonly #turns = new Turns(PARALLEL)
  readonly #inHand = new Map<string, Promise<void>>()
  readonly #draining = new AbortController()

  constructor(host: OutboxHost, policy: DeliveryPolicy = POLICY) {
    this.#host = host
    this.#policy = policy
  }

  /** Who is told of files here. */
  get receivers(): readonly Receiver[] {
    return [...this.#host.receivers.keys()]
  }

  /** How many files somebody is still to be told of by this process. */
  get size(): number {
    return this.#inHand.size
  }

  /** A file was recorded by this process just now: tells of it in the background. */
  begin(file: FileRecord): void {
    const { receivers } = this
    if (receivers.length > 0) this.#start({ file, receivers }, 0)
  }

  /** Whether somebody is still to be told of a finished file, and nobody here is at it. */
  async owes(fileId: string): Promise<boolean> {
    return (await this.#owed(fileId)) !== null
  }

  /** Tells in the background what is still owed of a finished file, if anything is. */
  async takeUp(fileId: string): Promise<void> {
    const owed = await this.#owed(fileId)
    if (owed !== null) this.#start(owed, this.#policy.takeOverWaitMs)
  }

  /** Tells once what is still owed of a finished file. Resolves with whether nothing is left to do here. Never rejects. */
  async tellOnce(fileId: string): Promise<boolean> {
    const owed = await this.#owed(fileId)
    if (owed === null) return true
    return this.#host.run(() => this.#attempt(owed.file, null, new Map(), this.#policy.takeOverWaitMs))
  }

  /** Tells somebody of something that is nowhere recorded, in the background: a crash ends it. */
  beginUnrecorded(id: string, receiver: Receiver, tell: (signal: AbortSignal) => Promise<void>): void {
    if (this.#inHand.has(id) || this.#inHand.size >= MOST) return
    const telling = this.#insist(this.#policy.patienceMs, async () => {
      try {
        await tell(this.#draining.signal)
        return true
      } catch (error) {
        if (error instanceof WebhookGoneError) return true
        this.#host.onError(error, receiver)
        return false
      }
    }).finally(() => this.#inHand.delete(id))
    this.#inHand.set(id, telling)
  }

  /** Begins nothing again. Attempts under way are told that time is short; `run` waits for them. */
  drain(): void {
    this.#draining.abort()
  }

  /** Resolves when nothing is in hand any more. */
  async settled(): Promise<void> {
    while (this.#inHand.size > 0) await Promise.all(this.#inHand.values())
  }

  /** What is owed, or was a moment ago, and is not in hand. */
  async #owed(fileId: string): Promise<OwedFile | null> {
    if (this.#host.receivers.size === 0 || this.#inHand.has(fileId)) return null
    const owed = await this.#host.files.owed(fileId, { recent: true })
    return owed !== null && this.#isMine(owed) ? owed : null
  }

  #isMine({ receivers }: OwedFile): boolean {
    return receivers.some((receiver) => this.#host.receivers.has(receiver))
  }

  #start(owed: OwedFile, waitMs: number): void {
    const { id } = owed.file
    if (this.#inHand.has(id) || this.#inHand.size >= MOST) return
    const delivery = this.#deliver(owed, waitMs).finally(() => this.#inHand.delete(id))
    this.#inHand.set(id, delivery)
  }

  /** Tries until all were told, or patience is over. Never rejects. */
  async #deliver(owed: OwedFile, waitMs: number): Promise<void> {
    const { file } = owed
    // One that has failed for longer than that is tried once, and is left to the next walk.
    const patienceMs = this.#host.now() - file.uploadedAt < this.#policy.patienceMs ? this.#policy.patienceMs : 0
    const done = new Map<Receiver, DeliveryStatus>()
    await this.#insist(patienceMs, (attempt) => {
      // From the second on what is recorded is asked anew: meanwhile another node may have been at it.
      const known = attempt === 1 && waitMs === 0 ? owed : null
      return this.#attempt(file, known, done, attempt === 1 ? waitMs : 0)
    })
  }

  /** Tries until an attempt says that it is over, or patience is. */
  async #insist(patienceMs: number, work: (attempt: number) => Promise<boolean>): Promise<void> {
    const begun = performance.now()
    for (let attempt = 1; ; attempt += 1) {
      if (await this.#turns.run(() => this.#host.run(() => work(attempt)))) return
      const ms = backoffPause(attempt, this.#policy, Math.random)
      if (performance.now() + ms - begun > patienceMs) return
      await pause(ms, this.#draining.signal)
      if (this.#draining.signal.aborted) return
    }
  }

  /** Tells everybody who is still to be told, under a lock. Returns whether nothing is left to do here. Never rejects. */
  async #attempt(
    { id, uploadId }: FileRecord,
    known: OwedFile | null,
    done: Map<Receiver, DeliveryStatus>,
    waitMs: number,
  ): Promise<boolean> {
    let lock: UploadLock | null = null
    try {
      // Not the lock on the upload: whoever deletes a file does not wait for a receiver that hangs.
      const wait = waitMs === 0 ? { waitMs } : { waitMs, signal: this.#draining.signal }
      lock = await this.#host.locks.acquire(`${uploadId}/delivery`, { scope: { kind: 'whole' }, ...wait })
      const owed = known ?? (await this.#host.files.owed(id))
      if (owed === null || !this.#isMine(owed)) return true
      const told = await Promise.all(owed.receivers.map((receiver) => this.#tell(receiver, owed.file, done)))
      if (done.size > 0) await this.#host.files.settle(id, Object.fromEntries(done) satisfies Deliveries)
      return told.every(Boolean)
    } catch (error) {
      // Another node is at it, or another process of this one.
      if (isUploadError(error) && error.code === 'UPLOAD_LOCKED') return true
      this.#host.onError(error, `delivering file ${id}`)
      return false
    } finally {
      await lock?.release()
    }
  }

  /** Tells one receiver, unless he was told before. Returns whether there is nothing left to tell him here. */
  async #tell(receiver: Receiver, file: FileRecord, done: Map<Receiver, DeliveryStatus>): Promise<boolean> {
    const deliver = this.#host.receivers.get(receiver)
    if (deliver === undefined || done.has(receiver)) return true
    try {
      await deliver(file, this.#draining.signal)
      done.set(receiver, 'delivered')
      return true
    } catch (error) {
      if (error instanceof WebhookGoneError) return true
      this.#host.onError(error, receiver)
      if (this.#host.now() - file.uploadedAt < this.#policy.giveUpAfterMs) return false
      done.set(receiver, 'givenUp')
      const since = new Date(file.uploadedAt).toISOString()
      const gaveUp = `gave up telling of file ${file.id} (upload ${file.uploadId}), finished at ${since}: it is not tried again`
      this.#host.onError(new Error(gaveUp, { cause: error }), receiver)
      return true
    }
  }
}
