import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../../../src/index.ts'
import { bearerOf } from '../../bearer.ts'

/** The key of a request: `X-API-Key`, or else a bearer's token; null where there is neither. */
export function apiKeyOf(headers: IncomingHttpHeaders): string | null {
  const key = headers['x-api-key']
  return typeof key === 'string' && key !== '' ? key : bearerOf(headers)
}

/** What is answered to credentials that were sent and are no good: `WWW-Authenticate` then says so (RFC 6750 section 3). */
export function refused(message: string, cause?: unknown): UploadError {
  return new UploadError('UNAUTHENTICATED', { message, details: { error: 'invalid_token' }, cause })
}
