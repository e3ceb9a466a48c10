import { inspect } from 'node:util'
import { isUploadError, RETRY_AFTER_S, toUploadError, UploadError, type ErrorCode } from '../src/index.ts'
import { failureReply, type FaceReply } from '../src/json/index.ts'

/** The faces: tus, the JSON API, and the finished files beside it, which speak as it does. */
export type FaceName = 'tus' | 'json' | 'files'

/** What an application's or a framework's own errors mean, by the `statusCode` that both put on them. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'TIMEOUT',
  413: 'BODY_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  423: 'UPLOAD_LOCKED',
  429: 'RATE_LIMITED',
  503: 'STATE_UNAVAILABLE',
}

/**
 * An error thrown around a face (by `authenticate`, a hook, the framework) as one of ours. What says that the client is
 * at fault keeps its message; of anything else the client is told nothing.
 */
export function asUploadError(thrown: unknown): UploadError {
  if (isUploadError(thrown)) return thrown
  const status = statusOf(thrown)
  if (status === undefined || !(thrown instanceof Error)) return toUploadError(thrown)
  const code = CODES[status] ?? (status < 500 ? 'INVALID_REQUEST' : 'INTERNAL')
  return new UploadError(code, { ...(status < 500 ? { message: thrown.message } : {}), cause: thrown })
}

/** The answer to an error that was thrown before a face was asked, in the form of that face. */
export function faceFailure(face: FaceName, thrown: unknown, requestId: string, method: string | undefined): FaceReply {
  const error = asUploadError(thrown)
  // A status that only the application knows, such as 429 of its rate limiter, stays as it is.
  const own = isUploadError(thrown) ? undefined : statusOf(thrown)
  const reply = face === 'tus' ? tusFailure(error) : failureReply(error, requestId)
  const status = own !== undefined && own < 500 ? own : reply.status
  if (face !== 'tus') return withChallenge({ ...reply, status })
  // tus clients ask again after 423, and start over from byte 0 when a HEAD gets one of the others.
  const passing = status === 408 || status === 429 || (method === 'HEAD' && status >= 500)
  if (!passing) return withChallenge({ ...reply, status })
  return { ...reply, status: 423, headers: { ...reply.headers, 'Retry-After': String(RETRY_AFTER_S) } }
}

function tusFailure(error: UploadError): FaceReply {
  const headers: Record<string, string> = {
    'Tus-Resumable': '1.0.0',
    'Cache-Control': 'no-store',
    'Content-Type': 'text/plain; charset=utf-8',
  }
  if (error.entry.retry === true) headers['Retry-After'] = String(RETRY_AFTER_S)
  return { status: error.status_code, headers, body: error.body, error }
}

/** "A server generating a 401 response MUST send a WWW-Authenticate header field" (RFC 9110 section 15.5.2). */
function withChallenge(reply: FaceReply): FaceReply {
  return reply.status === 401
    ? { ...reply, headers: { 'WWW-Authenticate': challengeTo(reply.error), ...reply.headers } }
    : reply
}

/** Credentials that were sent and are no good are said to be so; where there were none nothing is (RFC 6750 section 3). */
function challengeTo(error: unknown): string {
  return isUploadError(error) && error.details?.['error'] === 'invalid_token'
    ? 'Bearer error="invalid_token"'
    : 'Bearer'
}

function statusOf(thrown: unknown): number | undefined {
  const status = typeof thrown === 'object' && thrown !== null && 'statusCode' in thrown ? thrown.statusCode : undefined
  return typeof status === 'number' && status >= 400 && status <= 599 ? status : undefined
}

/** What of a reply belongs in the log as an error: the server's own failures, not the client's, and not a shutdown. */
export function troubleOf({ error }: FaceReply): unknown {
  if (error === undefined || error === null) return undefined
  if (isUploadError(error)) return error.status >= 500 && error.code !== 'DRAINING' ? error : undefined
  // What @tus/server throws is an object with the status it answers.
  const status = typeof error === 'object' && 'status_code' in error ? error.status_code : undefined
  return typeof status === 'number' && status < 500 ? undefined : error
}

/** Tells the operator of an error where the application has not said to whom: a warning of the process goes to stderr. */
export function warn(error: unknown): void {
  // Of an error itself Node shows the message alone, which is what the client was told.
  process.emitWarning('a request failed', { type: 'holdfast', detail: inspect(error) })
}
