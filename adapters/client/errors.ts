import type { ClientCode, ServerCode } from './error-codes.ts'

/** What a {@link ResumableUploadError} may be told beside its code. */
export interface ErrorFacts {
  /** HTTP status of the answer. */
  readonly status?: number
  /** What the server adds for programs: field names, sizes, missing chunks. */
  readonly details?: Readonly<Record<string, unknown>>
  /** By what the server's log calls the request. */
  readonly requestId?: string
  /** After how long the server asks to be asked again, ms. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** An upload, or a call of it, that came to nothing. Match on `code`: it is the contract's, or one of the client's own. */
export class ResumableUploadError extends Error {
  override readonly name = 'ResumableUploadError'
  readonly code: ServerCode | ClientCode
  /** HTTP status of the answer; null where there was none. */
  readonly status: number | null
  /** What the server adds for programs. */
  readonly details: Readonly<Record<string, unknown>>
  /** By what the server's log calls the request; null where it was not told. */
  readonly requestId: string | null
  /** After how long the server asks to be asked again, ms; null where it does not say. */
  readonly retryAfterMs: number | null

  constructor(code: ServerCode | ClientCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.status = facts.status ?? null
    this.details = facts.details ?? {}
    this.requestId = facts.requestId ?? null
    this.retryAfterMs = facts.retryAfterMs ?? null
  }
}

/** The code of an error of this client; null for anything else, as the reason of an abort. */
export function codeOf(error: unknown): ServerCode | ClientCode | null {
  return error instanceof ResumableUploadError ? error.code : null
}
