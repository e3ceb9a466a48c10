import { UploadError } from '../errors.ts'
import { CHECKSUM_ALGORITHMS, DIGEST_BYTES } from './algorithms.ts'
import type { Checksum } from './body-checksum.ts'

const FIELD = 'Upload-Checksum'
const FORM = /^([!-~]+) ([A-Za-z0-9+/]+={0,2})$/

/**
 * Reads `Upload-Checksum`: "The header MUST consist of the name of the used checksum algorithm and the Base64 encoded
 * checksum separated by a space" (tus 1.0.0, checksum). Names are in lower case there.
 * @throws UploadError `INVALID_REQUEST`
 */
export function parseUploadChecksum(text: string): readonly Checksum[] {
  const [, name, base64] = FORM.exec(text) ?? []
  if (name === undefined || base64 === undefined) {
    throw invalid(`${FIELD} must be the name of an algorithm, one space, and the checksum in Base64.`)
  }
  const algorithm = CHECKSUM_ALGORITHMS.find((known) => known === name)
  if (algorithm === undefined) {
    throw invalid(`${FIELD} names an algorithm that is not supported here: use ${CHECKSUM_ALGORITHMS.join(', ')}.`)
  }
  const digest = Buffer.from(base64, 'base64')
  const bytes = DIGEST_BYTES[algorithm]
  const isHex = base64.length === 2 * bytes && /^[\da-f]+$/i.test(base64)
  if (isHex || digest.toString('base64') !== base64) {
    throw invalid(`${FIELD} must have the ${bytes} bytes of a ${algorithm} in Base64, padding included.`)
  }
  // Of another length it has the form all the same, and is one that no body has: the mismatch is told.
  return [{ algorithm, digest }]
}

function invalid(message: string): UploadError {
  return new UploadError('INVALID_REQUEST', { message, details: { field: FIELD } })
}
