/** How often and how long a request is tried. Times in ms. */
export interface RetryPolicy {
  /** Attempts in all. */
  readonly attempts: number
  /** The first pause is at most this long, every further one at most twice the one before. */
  readonly baseMs: number
  /** No pause is longer. */
  readonly longestPauseMs: number
  /** No attempt begins later than this after the first one did. */
  readonly totalMs: number
  /** An attempt in which nothing moves for this long has failed. */
  readonly stallMs: number
}

/** What a retry works with beside the request; tests bring their own. */
export interface RetryClock {
  /** ms; only differences are used. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  readonly sleep: (ms: number) => Promise<void>
}

/** One attempt at a request. */
export interface Attempt {
  /** Aborts when nothing moves, and when the attempt is over. */
  readonly signal: AbortSignal
  /** Bytes have moved: the attempt is not stalled. */
  readonly moved: () => void
  /** Ends the attempt: what it would send cannot be read. */
  readonly fail: (reason: Error) => void
  /** Ends what is left of the attempt, whose outcome is known. */
  readonly leave: () => void
}

/** Nothing moved for too long. */
export class StallError extends Error {
  constructor(ms: number) {
    super(`Nothing moved for ${ms} ms.`)
    this.name = 'StallError'
  }
}

export const systemClock: RetryClock = {
  now: () => performance.now(),
  random: Math.random,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}

/** The pause after attempt `attempt` (from 1): exponential, with full jitter, so that those who failed together do not come again together. */
export function pauseAfter(attempt: number, policy: RetryPolicy, random: () => number): number {
  return random() * Math.min(policy.longestPauseMs, policy.baseMs * 2 ** (attempt - 1))
}

/**
 * Tries until it succeeds, fails for good, or has been tried enough; then throws what the last attempt threw. Only what
 * may be done twice is to be given to it: an attempt that failed may have taken effect. `onRetry` is told of every failure
 * after which it is tried again.
 */
export async function retried<T>(
  work: (attempt: Attempt) => Promise<T>,
  isPassing: (error: unknown) => boolean,
  policy: RetryPolicy,
  clock: RetryClock = systemClock,
  onRetry: (error: unknown) => void = () => {},
): Promise<T> {
  const begun = clock.now()
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attempted(work, policy.stallMs)
    } catch (error) {
      if (attempt >= policy.attempts || !isPassing(error)) throw error
      const pause = pauseAfter(attempt, policy, clock.random)
      if (clock.now() + pause - begun > policy.totalMs) throw error
      onRetry(error)
      await clock.sleep(pause)
    }
  }
}

async function attempted<T>(work: (attempt: Attempt) => Promise<T>, stallMs: number): Promise<T> {
  const controller = new AbortController()
  let reason: Error | null = null
  const fail = (error: Error) => {
    reason ??= error
    controller.abort(error)
  }
  const timer = setTimeout(() => fail(new StallError(stallMs)), stallMs)
  try {
    return await work({
      signal: controller.signal,
      moved: () => void timer.refresh(),
      fail,
      leave: () => controller.abort(),
    })
  } catch (error) {
    // What ended the attempt says more than the abort it led to.
    throw reason ?? error
  } finally {
    clearTimeout(timer)
  }
}
