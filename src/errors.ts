/**
 * Every error a client can be told, in one table.
 *
 * `status` is the HTTP status of the JSON face; `tus` the status on the tus face where it differs. tus clients resume on
 * 423 and start over from byte 0 when a HEAD gets 500, 503 or 429, so every passing trouble is 423 there.
 * `retry` errors carry `Retry-After`.
 */
export const ERRORS = {
  INVALID_REQUEST: { status: 400, message: 'The request is not valid.' },
  INVALID_CHUNK_NUMBER: { status: 400, message: 'The chunk number is outside this upload.' },
  CHUNK_SIZE_MISMATCH: { status: 400, message: 'The body is not as long as this chunk is.' },
  UNAUTHENTICATED: { status: 401, message: 'Credentials are missing or not valid.' },
  FORBIDDEN: { status: 403, message: 'You may not do this.' },
  UPLOAD_NOT_FOUND: { status: 404, message: 'There is no such upload.' },
  FILE_NOT_FOUND: { status: 404, message: 'There is no such file.' },
  NOT_FOUND: { status: 404, message: 'There is nothing at this address.' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'This address does not support that method.' },
  TIMEOUT: { status: 408, tus: 423, retry: true, message: 'The body stalled. What was acknowledged is kept; resume.' },
  CHUNKS_MISSING: { status: 409, message: 'Chunks are missing. Send them, then complete again.' },
  CHUNK_CONFLICT: {
    status: 409,
    tus: 422,
    message: 'Other bytes are already stored at this place. Nothing was changed.',
  },
  OFFSET_MISMATCH: { status: 409, message: 'Upload-Offset is not the offset of this upload.' },
  UPLOAD_COMPLETED: { status: 409, message: 'This upload is already complete.' },
  UPLOAD_EXPIRED: { status: 410, message: 'This upload has expired. Start a new one.' },
  UPLOAD_CANCELLED: { status: 410, message: 'This upload was cancelled. Start a new one.' },
  UPLOAD_FAILED: { status: 410, message: 'This upload has failed for good. Start a new one.' },
  FILE_TOO_LARGE: { status: 413, message: 'The file is larger than this server accepts.' },
  QUOTA_EXCEEDED: { status: 413, message: 'You have as much unfinished as you may.' },
  BODY_TOO_LARGE: { status: 413, message: 'The request body is too large.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'The Content-Type is not supported here.' },
  PRECONDITION_FAILED: { status: 412, message: 'What the request makes a condition is not so.' },
  TUS_VERSION_MISMATCH: { status: 412, message: 'Tus-Resumable must be 1.0.0.' },
  RANGE_NOT_SATISFIABLE: { status: 416, message: 'The range lies outside of the file.' },
  CHECKSUM_MISMATCH: { status: 422, tus: 460, message: 'The bytes received do not have the declared checksum.' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, message: 'This Idempotency-Key was used for another request.' },
  UPLOAD_LOCKED: { status: 423, retry: true, message: 'The upload is busy with another request. Try again.' },
  RATE_LIMITED: { status: 429, tus: 423, retry: true, message: 'Too many requests. Try again.' },
  INTERNAL: { status: 500, message: 'Something went wrong on the server.' },
  STORAGE_UNAVAILABLE: { status: 503, tus: 423, retry: true, message: 'Storage does not answer. Try again.' },
  STATE_UNAVAILABLE: { status: 503, tus: 423, retry: true, message: 'State does not answer. Try again.' },
  DRAINING: { status: 503, tus: 423, retry: true, message: 'The server is shutting down. Try again.' },
  STORAGE_FULL: { status: 507, message: 'Storage is full. Try again when there is room.' },
} as const satisfies Record<string, ErrorEntry>

/** What the table says of one code. */
export interface ErrorEntry {
  /** HTTP status. */
  readonly status: number
  /** HTTP status on the tus face, where it differs. */
  readonly tus?: number
  /** Whether the answer carries `Retry-After`. */
  readonly retry?: boolean
  /** What a client is told when the thrower had nothing more exact to say. */
  readonly message: string
}

/** A code of the table. Codes are API: match on these, never on messages. */
export type ErrorCode = keyof typeof ERRORS

/** Seconds a client is asked to wait after a passing trouble. */
export const RETRY_AFTER_S = 1

const brand: unique symbol = Symbol.for('holdfast.UploadError') as never

/** What an {@link UploadError} may be told beside its code. */
export interface UploadErrorOptions {
  /** Replaces the table's message. Shown to clients: never a path, never a stack. */
  readonly message?: string
  /** Facts for the client's program: field names, sizes, missing chunks. */
  readonly details?: Readonly<Record<string, unknown>>
  /** What lies underneath, for the log alone. */
  readonly cause?: unknown
}

/**
 * The one error that reaches clients.
 *
 * It carries `status_code` and `body`, which is what @tus/server reads of a thrown error, so there is no mapping layer.
 */
export class UploadError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly [brand] = true

  constructor(code: ErrorCode, options: UploadErrorOptions = {}) {
    super(options.message ?? ERRORS[code].message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'UploadError'
    this.code = code
    this.details = options.details
  }

  /** The row of the table. */
  get entry(): ErrorEntry {
    return ERRORS[this.code]
  }

  /** HTTP status on the JSON face. */
  get status(): number {
    return this.entry.status
  }

  /** HTTP status on the tus face. */
  get status_code(): number {
    return this.entry.tus ?? this.entry.status
  }

  /** Body on the tus face. */
  get body(): string {
    return `${this.message}\n`
  }
}

/** Whether a value is an {@link UploadError}, also one of a second installed copy of this package. */
export function isUploadError(value: unknown): value is UploadError {
  return typeof value === 'object' && value !== null && brand in value
}

/**
 * Turns anything thrown into an {@link UploadError}.
 * Errors of the operating system keep their meaning (`ENOSPC` is `STORAGE_FULL`); what nobody foresaw is `INTERNAL`.
 */
export function toUploadError(value: unknown): UploadError {
  if (isUploadError(value)) return value
  const code = value instanceof Error && 'code' in value ? value.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') return new UploadError('STORAGE_FULL', { cause: value })
  if (code === 'EFBIG') return new UploadError('FILE_TOO_LARGE', { cause: value })
  if (typeof code === 'string' && SYSTEM_CODES.has(code))
    return new UploadError('STORAGE_UNAVAILABLE', { cause: value })
  return new UploadError('INTERNAL', { cause: value })
}

const SYSTEM_CODES: ReadonlySet<string> = new Set([
  'EIO',
  'EROFS',
  'EMFILE',
  'ENFILE',
  'EBUSY',
  'ESTALE',
  'EACCES',
  'EPERM',
])
