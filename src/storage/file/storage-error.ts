import { type ErrorCode, toUploadError, UploadError } from '../../errors.ts'
import { hasCode } from './file-layer.ts'

/**
 * What a client is told of an error of the operating system. Errors that are none (a misuse, a corrupt journal) stay what
 * they are. `missing` is the meaning of a path that is not there.
 */
export function storageError(error: unknown, missing: ErrorCode = 'INTERNAL'): Error {
  if (hasCode(error, 'ENOENT')) return new UploadError(missing, { cause: error })
  const isSystemError = error instanceof Error && 'code' in error && 'syscall' in error
  if (isSystemError) return toUploadError(error)
  return error instanceof Error ? error : new Error('Something was thrown that is no error.', { cause: error })
}
