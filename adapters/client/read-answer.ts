import { isServerCode } from './error-codes.ts'
import { ResumableUploadError } from './errors.ts'
import { parseRetryAfter } from './retry.ts'
import type { HttpAnswer } from './transport.ts'

/**
 * The `data` of a success.
 * @throws ResumableUploadError the failure that was answered; `UNEXPECTED_ANSWER` for what is not of this API
 */
export function readAnswer(answer: HttpAnswer, url: string, now: number): unknown {
  const { status } = answer
  const body = parsed(answer.text)
  if (status < 300 && isRecord(body) && body['success'] === true) return body['data']
  const after = parseRetryAfter(answer.header('Retry-After'), now)
  const retryAfter = after === undefined ? {} : { retryAfterMs: after }
  const error = isRecord(body) ? body['error'] : undefined
  if (!isRecord(error) || !isServerCode(error['code'])) {
    throw new ResumableUploadError(
      'UNEXPECTED_ANSWER',
      `${new URL(url).host} answered ${status}, and not as this API does. Is the address right?`,
      { status, ...retryAfter },
    )
  }
  const { code, message, details, requestId } = error
  throw new ResumableUploadError(code, typeof message === 'string' ? message : code, {
    status,
    ...(isRecord(details) ? { details } : {}),
    ...(typeof requestId === 'string' ? { requestId } : {}),
    ...retryAfter,
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
