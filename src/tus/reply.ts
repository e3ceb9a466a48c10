import { CHECKSUM_ALGORITHMS } from '../checksum/algorithms.ts'
import { partsOf } from '../concatenation.ts'
import { reprDigest } from '../downloads/file-headers.ts'
import { errorHeaders } from '../error-headers.ts'
import { isUploadError, RETRY_AFTER_S, toUploadError } from '../errors.ts'
import type { FaceReply } from '../http.ts'
import { digestOf, mayExpire } from '../upload.ts'
import type { TusRequest } from './tus-request.ts'
import { TUS_VERSION } from './request-headers.ts'
import { UPLOAD_CONCAT, uploadConcatOf } from './upload-concat.ts'
import { formatUploadMetadata } from './upload-metadata.ts'

/** Headers of @tus/server's that go to the client; CORS has another owner, and content headers are written anew. */
const KEPT = [
  'Cache-Control',
  'Location',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Version',
  'Upload-Defer-Length',
  'Upload-Length',
  'Upload-Offset',
] as const

/** "The Tus-Checksum-Algorithm header MUST be included in the response to an OPTIONS request" (checksum). */
const DISCOVERY = { 'Tus-Checksum-Algorithm': CHECKSUM_ALGORITHMS.join(',') }

/** The statuses that tus adds to those of HTTP, and their names. */
const REASONS: Readonly<Record<number, string>> = { 460: 'Checksum Mismatch' }

/** @tus/server's answer as a reply. */
export async function fromResponse(response: Response): Promise<FaceReply> {
  const headers: Record<string, string> = {}
  for (const name of KEPT) {
    const value = response.headers.get(name)
    if (value !== null) headers[name] = value
  }
  // What it has done it says in headers alone.
  const body = response.ok ? '' : await response.text()
  return { status: response.status, headers, body: body === '' ? null : body }
}

/** The answer to an error that did not pass @tus/server. */
export function errorReply(thrown: unknown): FaceReply {
  const error = toUploadError(thrown)
  const headers = errorHeaders(error)
  if (error.code === 'TUS_VERSION_MISMATCH') headers['Tus-Version'] = TUS_VERSION
  return { status: error.status_code, headers, body: error.body }
}

/**
 * The answer to what a creation threw that did not pass @tus/server: the same as through it, where what an application's
 * hooks throw with `status_code` and `body` reaches the client as it is.
 */
export function thrownReply(thrown: unknown): FaceReply {
  if (!isUploadError(thrown) && typeof thrown === 'object' && thrown !== null) {
    const { status_code: status, body }: { readonly status_code?: unknown; readonly body?: unknown } = thrown
    if (typeof status === 'number' && typeof body === 'string') return { status, headers: {}, body }
  }
  return errorReply(thrown)
}

/** Adds what the protocol wants on every answer. */
export function finishReply(request: TusRequest, reply: FaceReply): FaceReply {
  // A HEAD that fails with 500 or 503 makes clients start over from byte 0; 423 makes them ask again.
  const passing = request.method === 'HEAD' && reply.status >= 500
  const status = passing ? 423 : reply.status
  const headers: Record<string, string> = {
    // Also of OPTIONS, where the specification leaves it open and its example has it.
    'Tus-Resumable': TUS_VERSION,
    ...(request.method === 'OPTIONS' ? DISCOVERY : {}),
    'Cache-Control': 'no-store',
    ...reply.headers,
    ...uploadHeaders(request, status),
  }
  if (request.offsetWithheld) delete headers['Upload-Offset']
  if (status === 423) headers['Retry-After'] = String(RETRY_AFTER_S)
  if (typeof reply.body === 'string') headers['Content-Type'] = 'text/plain; charset=utf-8'
  const reason = REASONS[status]
  return {
    status,
    ...(reason === undefined ? {} : { reason }),
    headers,
    // "204 No Content" has none, and a HEAD's answer has none.
    body: request.method === 'HEAD' || status === 204 ? null : reply.body,
    ...(isTrouble(request.error) ? { error: request.error } : {}),
  }
}

function uploadHeaders({ method, upload, error }: TusRequest, status: number): Record<string, string> {
  const headers: Record<string, string> = {}
  if (upload !== null && mayExpire(upload) && partsOf(upload) === null) {
    // "This header MUST be included in every PATCH response if the upload is going to expire."
    headers['Upload-Expires'] = new Date(upload.expiresAt).toUTCString()
  }
  if (upload !== null && ((method === 'HEAD' && status === 200) || status === 201)) {
    // "The Upload-Concat request and response header MUST be set in both partial and final upload creation requests." And
    // "Response to HEAD request against partial or final upload MUST include the Upload-Concat header and its value as
    // received in the upload creation request."
    const concat = uploadConcatOf(upload)
    if (concat !== null) headers[UPLOAD_CONCAT] = concat
  }
  if (upload !== null && method === 'HEAD' && status === 200) {
    const metadata = formatUploadMetadata(upload)
    if (metadata !== null) headers['Upload-Metadata'] = metadata
    const digest = upload.status === 'uploaded' ? digestOf(upload) : null
    if (digest !== null) headers['Repr-Digest'] = reprDigest(digest)
  }
  if (status === 409) {
    const told = isUploadError(error) ? error.details?.['offset'] : undefined
    if (typeof told === 'number') headers['Upload-Offset'] = String(told)
  }
  return headers
}

function isTrouble(error: unknown): boolean {
  return error !== undefined && error !== null
}
