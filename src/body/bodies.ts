import type { Readable } from 'node:stream'
import { UploadError } from '../errors.ts'
import { type BodyEnd, BodyReader } from './body-reader.ts'
import type { Hold } from '../storage/storage.ts'
import { GrowingHold } from './growing-hold.ts'
import type { Holds } from './holds.ts'
import type { MemoryBudget } from './memory-budget.ts'
import { PaceGuard, type PacedBody } from './pace-guard.ts'

/** Bytes in order, as they can be had. */
export interface ByteSource {
  /** How it ended, or null while bytes may still come. */
  readonly end: BodyEnd | null
  /** The next buffers, at most `limit` bytes of them, as soon as there are any; null at the end. */
  next(limit: number): Promise<Buffer[] | null>
}

/** The bytes of a body on their way to storage. */
export interface BodySource {
  readonly reader: ByteSource
  /**
   * Room for `bytes` of it, from its byte `from` on, that are held before they are stored; until there is, its sender is
   * held back. Whoever asks sees to it that the hold is dropped.
   * @throws UploadError `UPLOAD_LOCKED` when the client goes, or the body is stopped
   */
  hold(bytes: number, from: number): Promise<Hold>
  /** Bytes of this body that may be held on their way, reader and writer together. */
  share(): number
  /** Aborts when the client goes, or the body is stopped: ends a wait for a lock. */
  readonly gone: AbortSignal
  /** Ends the body from this side. */
  stop(): void
  /** Somebody wants the upload: ends the body soon, in whatever way loses least. */
  letGo(): void
  /** Whether it was stopped because the server shuts down. */
  draining(): boolean
}

/** A body that is being received, and the work on it. */
export interface LiveBody extends BodySource {
  readonly reader: BodyReader
  /**
   * Waits for the memory to receive it with; until then its sender is held back. Before the first byte is read.
   * @throws UploadError `UPLOAD_LOCKED` when the client goes, or the body is stopped
   */
  admit(): Promise<void>
  /**
   * Room for all of it, held apart: for so many bytes, or, where that is null, as they come; of a large one in files.
   * Whoever asks sees to it that the hold is dropped.
   * @throws UploadError `UPLOAD_LOCKED` when the client goes, or the body is stopped
   */
  holdAll(bytes: number | null): Promise<Hold>
  /** The most that can be held of a body, bytes. */
  readonly most: number
  /** The work on it has settled. */
  close(): void
}

/** A body's place for bytes that come from no client. */
export interface BodyPlace {
  /** Bytes that may be held on their way. */
  share(): number
  /** Room for bytes that are held before they are stored, in turn. Whoever asks sees to it that the hold is dropped. */
  hold(bytes: number): Promise<Hold>
}

/** What a body is: an append (the tus face), or one chunk (the JSON face). */
export type BodyKind = 'append' | 'chunk'

/** What bodies are taken in by. */
export interface BodiesOptions {
  /** A body that brings no byte for so long has stalled, ms. */
  readonly idleTimeoutMs: number
  /** The least that a body must bring while others wait for memory, bytes a second; 0 for none. @default 0 */
  readonly minBytesPerSecond?: number
}

/** The longest time over which a pace is measured, ms. */
const LONGEST_WINDOW_MS = 30_000

/** Everything under way that shutdown must wait for: bodies, which it ends, and work without one. */
export class Bodies {
  readonly #idleTimeoutMs: number
  readonly #budget: MemoryBudget
  readonly #holds: Holds
  readonly #live = new Map<LiveBody, BodyKind>()
  /** Bytes of the bodies that have ended. */
  readonly #received = { append: 0, chunk: 0 }
  /** Those that have a place in the memory. */
  readonly #admitted = new Set<PacedBody>()
  readonly #paces: PaceGuard
  #work = 0
  #draining = false
  readonly #onIdle: (() => void)[] = []

  constructor({ idleTimeoutMs, minBytesPerSecond = 0 }: BodiesOptions, budget: MemoryBudget, holds: Holds) {
    this.#idleTimeoutMs = idleTimeoutMs
    this.#budget = budget
    this.#holds = holds
    this.#paces = new PaceGuard({
      minBytesPerSecond,
      windowMs: Math.min(LONGEST_WINDOW_MS, idleTimeoutMs / 2),
      holders: () => this.#admitted,
      isShort: () => budget.waiting > 0 || holds.waiting > 0,
    })
  }

  get draining(): boolean {
    return this.#draining
  }

  /** How many bodies are being received. */
  get size(): number {
    return this.#live.size
  }

  /** How many wait, unread, for room. */
  get waiting(): number {
    return this.#budget.waiting + this.#holds.waiting
  }

  /** Bytes received so far, by kind. */
  get received(): Readonly<Record<BodyKind, number>> {
    const received = { ...this.#received }
    for (const [{ reader }, kind] of this.#live) received[kind] += reader.received
    return received
  }

  /** Bytes that are spoken for, in memory and in files. */
  get reserved(): { readonly memory: number; readonly files: number } {
    const { memory, files } = this.#holds.reserved
    return { memory: memory + this.#budget.reserved, files }
  }

  /**
   * Takes a body in. The caller closes it when its bytes are durable, or dropped.
   * @throws UploadError `DRAINING`
   */
  open(stream: Readable, signal: AbortSignal | undefined, kind: BodyKind = 'append'): LiveBody {
    this.#refuseWhenDraining()
    const share = (): number => this.#budget.share
    const reader = new BodyReader(stream, this.#idleTimeoutMs, () => share() / 4)
    let admitted = false
    const gone = new AbortController()
    const onGone = (): void => gone.abort()
    // A stream closes at its good end too: then nobody has gone.
    const onClose = (): void => {
      if (!stream.readableEnded) onGone()
    }
    signal?.addEventListener('abort', onGone, { once: true })
    // One that has closed already says so no more.
    if (signal?.aborted === true || (stream.destroyed && !stream.readableEnded)) onGone()
    stream.once('close', onClose)
    const stop = (): void => {
      reader.stop()
      gone.abort()
    }
    const body: LiveBody = {
      reader,
      gone: gone.signal,
      share,
      most: this.#holds.largest,
      admit: async () => {
        this.#paces.watch()
        await this.#unlessDraining(this.#budget.enter(gone.signal))
        admitted = true
        this.#admitted.add(reader)
      },
      hold: (bytes) => {
        this.#paces.watch()
        return this.#unlessDraining(this.#holds.take(bytes, gone.signal))
      },
      holdAll: (bytes) => {
        this.#paces.watch()
        return this.#unlessDraining(
          bytes === null
            ? GrowingHold.begin(this.#holds, gone.signal)
            : this.#holds.take(bytes, gone.signal, bytes <= this.#holds.share),
        )
      },
      stop,
      letGo: stop,
      draining: () => this.#draining,
      close: () => {
        signal?.removeEventListener('abort', onGone)
        stream.off('close', onClose)
        reader.detach()
        this.#admitted.delete(reader)
        this.#paces.forget(reader)
        if (admitted) this.#budget.leave()
        if (this.#live.delete(body)) this.#received[kind] += reader.received
        this.#checkIdle()
      },
    }
    this.#live.set(body, kind)
    return body
  }

  /**
   * Runs work that shutdown must wait for.
   * @throws UploadError `DRAINING`
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseWhenDraining()
    return this.runAnyway(work)
  }

  /** Runs work that is part of something begun before: shutdown waits for it and does not refuse it. */
  async runAnyway<T>(work: () => Promise<T>): Promise<T> {
    this.#work += 1
    try {
      return await work()
    } finally {
      this.#work -= 1
      this.#checkIdle()
    }
  }

  /**
   * Runs work on bytes that come from no client, in a body's place: it waits its turn for the memory, and may hold a body's
   * share of it.
   * @throws UploadError `UPLOAD_LOCKED` when `gone` aborts first
   */
  async runInPlace<T>(gone: AbortSignal, work: (place: BodyPlace) => Promise<T>): Promise<T> {
    await this.#budget.enter(gone)
    try {
      return await work({ share: () => this.#budget.share, hold: (bytes) => this.#holds.take(bytes, gone) })
    } finally {
      this.#budget.leave()
    }
  }

  /** Takes nothing new, and stops the bodies. */
  drain(): void {
    this.#draining = true
    for (const body of this.#live.keys()) body.stop()
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#isBusy()) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
  }

  #isBusy(): boolean {
    return this.#live.size > 0 || this.#work > 0
  }

  #checkIdle(): void {
    if (!this.#isBusy()) for (const wake of this.#onIdle.splice(0)) wake()
  }

  /** A wait that ends because the server shuts down says so. */
  async #unlessDraining<T>(wait: Promise<T>): Promise<T> {
    try {
      return await wait
    } catch (error) {
      this.#refuseWhenDraining()
      throw error
    }
  }

  #refuseWhenDraining(): void {
    if (this.#draining) throw new UploadError('DRAINING')
  }
}
