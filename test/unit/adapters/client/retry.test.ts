import { describe, expect, it } from 'vitest'
import { ResumableUploadError } from '../../../../adapters/client/errors.ts'
import { isPassing, parseRetryAfter, retryDelay } from '../../../../adapters/client/retry.ts'
import { ERRORS } from '../../../../src/errors.ts'
import { SERVER_CODES } from '../../../../adapters/client/error-codes.ts'

const policy = { retries: 5, retryDelayMs: 100, maxRetryDelayMs: 1000 }

describe('what is tried again', () => {
  it('is what may pass, and nothing else', () => {
    const passing = SERVER_CODES.filter((code) => isPassing(new ResumableUploadError(code, '', ERRORS[code])))
    expect(passing).toEqual([
      'TIMEOUT',
      'UPLOAD_LOCKED',
      'RATE_LIMITED',
      'INTERNAL',
      'STORAGE_UNAVAILABLE',
      'STATE_UNAVAILABLE',
      'DRAINING',
      'STORAGE_FULL',
    ])
    expect(isPassing(new ResumableUploadError('NETWORK', ''))).toBe(true)
    expect(isPassing(new ResumableUploadError('STALLED', ''))).toBe(true)
    expect(isPassing(new ResumableUploadError('UNEXPECTED_ANSWER', '', { status: 502 }))).toBe(true)
    expect(isPassing(new ResumableUploadError('UNEXPECTED_ANSWER', '', { status: 413 }))).toBe(false)
    expect(isPassing(new ResumableUploadError('FILE_UNREADABLE', ''))).toBe(false)
    expect(isPassing(new TypeError('a mistake'))).toBe(false)
  })

  it('waits twice as long each time, up to a limit, by chance between half and all of it', () => {
    const limits = [100, 200, 400, 800, 1000, 1000]
    expect(limits.map((_, attempt) => retryDelay(attempt, policy, null, () => 1))).toEqual(limits)
    expect(limits.map((_, attempt) => retryDelay(attempt, policy, null, () => 0))).toEqual(limits.map((ms) => ms / 2))
    expect(retryDelay(2000, policy, null, () => 1)).toBe(1000)
  })

  it('never waits less than the server has asked for', () => {
    expect(retryDelay(0, policy, 42_000, () => 0)).toBe(42_000)
    expect(retryDelay(3, policy, 100, () => 1)).toBe(800)
  })

  it('reads Retry-After in both of its forms', () => {
    const now = Date.parse('2026-11-28T09:30:00Z')
    expect(parseRetryAfter('7', now)).toBe(7000)
    expect(parseRetryAfter('Sat, 28 Nov 2026 09:30:05 GMT', now)).toBe(5000)
    expect(parseRetryAfter('Sat, 28 Nov 2026 09:29:00 GMT', now)).toBe(0)
    expect(parseRetryAfter('soon', now)).toBeUndefined()
    expect(parseRetryAfter(null, now)).toBeUndefined()
  })
})
