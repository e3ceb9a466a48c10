/** How something is tried again that may fail for hours. Times in ms. */
export interface Backoff {
  /** The first pause is about this long, every further one twice the one before. */
  readonly baseMs: number
  /** No pause is longer. */
  readonly longestPauseMs: number
}

/** The pause after attempt `attempt` (from 1): exponential, half of it drawn by lot, so that those who failed together do not come again together. */
export function backoffPause(attempt: number, { baseMs, longestPauseMs }: Backoff, random: () => number): number {
  const full = Math.min(longestPauseMs, baseMs * 2 ** Math.min(attempt - 1, 40))
  return full / 2 + (random() * full) / 2
}

/** Waits, and no longer than until `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
