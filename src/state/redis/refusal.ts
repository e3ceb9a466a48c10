import { UploadError } from '../../errors.ts'
import { goneError, type GoneStatus } from '../../upload.ts'

/** The error for what a commit's script answers when it refuses: a code below 0, and facts. Says what `applyChange` says. */
export function refusalError(code: number, facts: readonly (number | string)[]): Error {
  switch (code) {
    case -1:
    case -6:
      return new UploadError('UPLOAD_LOCKED')
    case -2:
      return goneError(facts[0] as GoneStatus)
    case -3:
      return new UploadError('UPLOAD_COMPLETED')
    case -4:
      return sizeError(facts.map(Number))
    case -5:
      return lengthError(facts[0])
    default:
      return new Error(`A script of this state refused with the unknown code ${code}.`)
  }
}

function sizeError([chunkNumber, expected, actual]: readonly number[]): UploadError {
  return new UploadError('CHUNK_SIZE_MISMATCH', {
    message: `Chunk ${chunkNumber} has ${expected} bytes, not ${actual}.`,
    details: { chunkNumber, expected, actual },
  })
}

function lengthError(size: number | string | undefined): UploadError {
  return new UploadError('INVALID_REQUEST', {
    message:
      size === ''
        ? 'Upload-Length is less than what is already stored.'
        : `The length of this upload is ${size} and cannot be changed.`,
    details: { field: 'Upload-Length' },
  })
}
