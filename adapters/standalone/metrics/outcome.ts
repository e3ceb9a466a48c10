import { isUploadError } from '../../../src/index.ts'

/** How a call ended, as a label: `ok`, the code of an error, or `error` for what has none. */
export function outcomeOf(error: unknown): string {
  if (error === null) return 'ok'
  return isUploadError(error) ? error.code : 'error'
}
