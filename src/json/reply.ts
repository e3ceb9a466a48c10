import { errorHeaders } from '../error-headers.ts'
import { RETRY_AFTER_S, toUploadError } from '../errors.ts'
import type { FaceReply } from '../http.ts'

const HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
} as const

/** An answer in JSON. */
interface JsonReply extends FaceReply {
  readonly body: string
}

/** `{"success": true, …}`: `{ data }` for all calls but cancel, which has a `message`. */
export function successReply(
  status: number,
  content: { readonly data: object } | { readonly message: string },
  headers: Readonly<Record<string, string>> = {},
): JsonReply {
  return { status, headers: { ...HEADERS, ...headers }, body: JSON.stringify({ success: true, ...content }) }
}

/**
 * The answer to anything thrown: `{"success": false, "error": {code, message, details?, requestId}}`.
 * What is no UploadError is `INTERNAL`; the thrown thing itself goes to the log alone.
 */
export function failureReply(thrown: unknown, requestId: string): JsonReply {
  const error = toUploadError(thrown)
  const { code, message, details } = error
  const headers: Record<string, string> = { ...HEADERS, ...errorHeaders(error) }
  if (error.entry.retry === true) headers['Retry-After'] = String(RETRY_AFTER_S)
  const content = { code, message, ...(details === undefined ? {} : { details }), requestId }
  return { status: error.status, headers, body: JSON.stringify({ success: false, error: content }), error }
}
