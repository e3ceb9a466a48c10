import { isUploadError, UploadError } from '../../errors.ts'
import { StallError } from './retry.ts'

/** Errors that say nothing of the request: the same one may succeed a moment later. */
const PASSING_NAMES: ReadonlySet<string> = new Set([
  'AbortError',
  'TimeoutError',
  'RequestTimeout',
  'RequestTimeoutException',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'TooManyRequestsException',
  'InternalError',
  'ServiceUnavailable',
  // Two conditional writes at once: AWS and Ceph name it differently.
  'ConditionalRequestConflict',
  'ConcurrentModification',
  'OperationAborted',
  // What arrived is not what was sent.
  'BadDigest',
  'IncompleteBody',
  'XAmzContentSHA256Mismatch',
])

const NETWORK_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
])

/** Troubles of the operator: no client can help them, and they pass when he has seen to them. */
const OPERATOR_NAMES: ReadonlySet<string> = new Set([
  'NoSuchBucket',
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidToken',
  'RequestTimeTooSkewed',
  'CredentialsProviderError',
  'PermanentRedirect',
])

const FULL_NAMES: ReadonlySet<string> = new Set([
  'QuotaExceeded',
  'InsufficientCapacity',
  'InsufficientStorage',
  'XMinioStorageFull',
])

/** What S3 calls the error, or what the SDK does. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

/** HTTP status of an answer that was an error, or null where there was none. */
export function httpStatus(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return null
  const { $metadata } = error
  if (typeof $metadata !== 'object' || $metadata === null || !('httpStatusCode' in $metadata)) return null
  return typeof $metadata.httpStatusCode === 'number' ? $metadata.httpStatusCode : null
}

/** Whether the same request may succeed a moment later. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error) || isUploadError(error)) return false
  if (error instanceof StallError || PASSING_NAMES.has(error.name)) return true
  // Also where a status has come: an answer that breaks off does not say what it is about.
  if ('code' in error && typeof error.code === 'string' && NETWORK_CODES.has(error.code)) return true
  const status = httpStatus(error)
  // A storage that is full (507) is no emptier a moment later.
  return status !== null && ((status >= 500 && status !== 507) || status === 429 || status < 300)
}

/** Whether there is no such object. */
export function isNoSuchKey(error: unknown): boolean {
  return errorName(error) === 'NoSuchKey' || errorName(error) === 'NotFound'
}

/** Whether there is no such multipart upload (any more): Ceph calls it a missing key where parts are listed. */
export function isNoSuchUpload(error: unknown): boolean {
  return errorName(error) === 'NoSuchUpload' || errorName(error) === 'NoSuchKey'
}

/** Whether the condition of a conditional request did not hold. */
export function isRefused(error: unknown): boolean {
  return errorName(error) === 'PreconditionFailed' || httpStatus(error) === 412
}

/** Whether the parts that were named are not the parts that are there: a part too small is an empty one in its place. */
export function isInvalidPart(error: unknown): boolean {
  return ['InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'].includes(errorName(error))
}

/** Whether a request had a longer body than this S3 reads; Ceph calls that a range that is invalid. */
export function isTooLong(error: unknown): boolean {
  return (
    ['InvalidRange', 'MaxMessageLengthExceeded', 'RequestTooLarge'].includes(errorName(error)) ||
    httpStatus(error) === 413
  )
}

/** Whether this S3 does not do such a thing at all. */
export function isUnsupported(error: unknown): boolean {
  return errorName(error) === 'NotImplemented' || httpStatus(error) === 501
}

/** What a client is told of an error of S3. What is none stays what it is. */
export function storageError(error: unknown): Error {
  if (isUploadError(error)) return error
  if (FULL_NAMES.has(errorName(error)) || httpStatus(error) === 507) {
    return new UploadError('STORAGE_FULL', { cause: error })
  }
  const status = httpStatus(error)
  const isOperators = OPERATOR_NAMES.has(errorName(error)) || status === 401 || status === 403
  if (isPassing(error) || isOperators) return new UploadError('STORAGE_UNAVAILABLE', { cause: error })
  if (status !== null) return new UploadError('INTERNAL', { cause: error })
  return error instanceof Error ? error : new Error('Something was thrown that is no error.', { cause: error })
}
