/** The codes with which the JSON API answers failures. */
export const SERVER_CODES = [
  'INVALID_REQUEST',
  'INVALID_CHUNK_NUMBER',
  'CHUNK_SIZE_MISMATCH',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'UPLOAD_NOT_FOUND',
  'FILE_NOT_FOUND',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'TIMEOUT',
  'CHUNKS_MISSING',
  'CHUNK_CONFLICT',
  'UPLOAD_COMPLETED',
  'UPLOAD_EXPIRED',
  'UPLOAD_CANCELLED',
  'UPLOAD_FAILED',
  'FILE_TOO_LARGE',
  'QUOTA_EXCEEDED',
  'BODY_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'CHECKSUM_MISMATCH',
  'IDEMPOTENCY_KEY_REUSED',
  'UPLOAD_LOCKED',
  'RATE_LIMITED',
  'INTERNAL',
  'STORAGE_UNAVAILABLE',
  'STATE_UNAVAILABLE',
  'DRAINING',
  'STORAGE_FULL',
] as const

/** A code of the JSON API. */
export type ServerCode = (typeof SERVER_CODES)[number]

/**
 * What the server cannot say itself:
 * `NETWORK`: no answer came;
 * `STALLED`: nothing moved for `stallTimeoutMs`;
 * `UNEXPECTED_ANSWER`: what answered does not speak this API, a proxy for one; see `status`;
 * `FILE_UNREADABLE`: the file is gone, or may not be read, or is not what it was when it was chosen;
 * `CANCELLED`: by `cancel()`.
 */
export type ClientCode = 'NETWORK' | 'STALLED' | 'UNEXPECTED_ANSWER' | 'FILE_UNREADABLE' | 'CANCELLED'

const KNOWN: ReadonlySet<string> = new Set(SERVER_CODES)

/** Whether a text is a code of the JSON API. */
export function isServerCode(text: unknown): text is ServerCode {
  return typeof text === 'string' && KNOWN.has(text)
}
