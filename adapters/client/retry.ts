import { ResumableUploadError } from './errors.ts'

/** How often, and when, a request is sent again. */
export interface RetryPolicy {
  /** How often one request is sent again before its failure is final. */
  readonly retries: number
  /** Longest wait before the first repetition, ms; it doubles with each. */
  readonly retryDelayMs: number
  /** Longest of these waits, ms. */
  readonly maxRetryDelayMs: number
}

/** Whether the same request may do better later: no answer, 408, 423, 429, and all 5xx. */
export function isPassing(error: unknown): error is ResumableUploadError {
  if (!(error instanceof ResumableUploadError)) return false
  const { code, status } = error
  if (code === 'NETWORK' || code === 'STALLED') return true
  return status === 408 || status === 423 || status === 429 || (status !== null && status >= 500)
}

/**
 * How long to wait before repetition `attempt` (from 0), ms: between half and all of a limit that doubles, so that clients
 * that failed together do not come back together, and never less than the server has asked for.
 */
export function retryDelay(
  attempt: number,
  { retryDelayMs, maxRetryDelayMs }: RetryPolicy,
  retryAfterMs: number | null,
  random: () => number = Math.random,
): number {
  const limit = Math.min(maxRetryDelayMs, retryDelayMs * 2 ** attempt)
  const backoff = limit * (0.5 + random() / 2)
  return Math.max(backoff, retryAfterMs ?? 0)
}

/** The `Retry-After` of an answer, in ms from `now`; undefined where there is none (RFC 9110, section 10.2.3). */
export function parseRetryAfter(text: string | null, now: number): number | undefined {
  if (text === null) return undefined
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
