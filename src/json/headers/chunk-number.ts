import { UploadError } from '../../errors.ts'
import { invalidHeader } from './header.ts'

const FIELD = 'X-Chunk-Number'

/**
 * Reads `X-Chunk-Number`: decimal digits and nothing else. Leading zeros are refused, so that a chunk has one name only:
 * a client that pads has counted in something other than numbers, and is told so before it sends bytes.
 *
 * @throws UploadError `INVALID_REQUEST` when it is missing; `INVALID_CHUNK_NUMBER` when it is not such a number
 */
export function parseChunkNumber(text: string | undefined): number {
  if (text === undefined || text === '') {
    throw invalidHeader(FIELD, `The header ${FIELD} is missing: name the chunk, counting from 0.`)
  }
  const number = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  throw new UploadError('INVALID_CHUNK_NUMBER', {
    message: `${FIELD} must be a whole number from 0, in decimal digits without leading zeros.`,
    details: { field: FIELD },
  })
}
