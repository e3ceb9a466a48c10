import { invalidHeader } from './header.ts'

const FIELD = 'Idempotency-Key'

/**
 * Reads `Idempotency-Key`: 1 to 255 visible ASCII characters, taken as they are. Undefined where there is none.
 * @throws UploadError `INVALID_REQUEST`
 */
export function parseIdempotencyKey(text: string | undefined): string | undefined {
  if (text === undefined || /^[\x21-\x7e]{1,255}$/.test(text)) return text
  throw invalidHeader(FIELD, `${FIELD} must be 1 to 255 visible ASCII characters.`)
}
