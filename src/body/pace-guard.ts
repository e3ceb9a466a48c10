import type { Pace } from './body-reader.ts'

/** A body whose sender may be too slow. */
export interface PacedBody {
  /** What it has received and how long it has waited for that. */
  readonly pace: Pace
  /** Ends it; what it has received is kept. */
  stall(): void
}

/** What is too slow, and when that matters. */
export interface PaceGuardOptions {
  /** The least that a body must bring, bytes a second; 0 for none. */
  readonly minBytesPerSecond: number
  /** The time of waiting over which it is measured, ms: a network that is gone for a moment is not punished. */
  readonly windowMs: number
  /** Bodies that have what others wait for. */
  readonly holders: () => Iterable<PacedBody>
  /** Whether anybody waits. */
  readonly isShort: () => boolean
}

/** How often it is looked, in parts of a window. */
const LOOKS = 10

/**
 * Ends bodies that only trickle while others wait for their places: a thousand of them could otherwise hold all there are.
 * While nobody waits, any pace is good. Only the time counts in which this side waited for bytes, not that in which it let
 * the sender wait.
 */
export class PaceGuard {
  readonly #options: PaceGuardOptions
  /** The pace at which each body's window began. */
  readonly #marks = new Map<PacedBody, Pace>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: PaceGuardOptions) {
    this.#options = options
  }

  /** Somebody is about to wait. */
  watch(): void {
    const { minBytesPerSecond, windowMs } = this.#options
    if (minBytesPerSecond === 0 || this.#timer !== null) return
    this.#timer = setInterval(() => this.#look(), Math.max(10, windowMs / LOOKS)).unref()
  }

  /** A body has ended. */
  forget(body: PacedBody): void {
    this.#marks.delete(body)
  }

  #look(): void {
    const { holders, isShort, minBytesPerSecond, windowMs } = this.#options
    if (!isShort()) return this.#rest()
    for (const body of holders()) {
      const { pace } = body
      const mark = this.#marks.get(body)
      const waitedMs = pace.waitedMs - (mark?.waitedMs ?? 0)
      if (mark !== undefined && waitedMs < windowMs) continue
      this.#marks.set(body, pace)
      if (mark !== undefined && ((pace.bytes - mark.bytes) * 1000) / waitedMs < minBytesPerSecond) body.stall()
    }
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#marks.clear()
  }
}
