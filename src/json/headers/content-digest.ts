import { invalidHeader } from './header.ts'

const FIELD = 'Content-Digest'

/**
 * One member of the dictionary: `sha-256=:…:`, every value a byte sequence (RFC 9530 section 2). RFC 8941 allows
 * parameters, RFC 9530 defines none: they are passed over.
 */
const MEMBER = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:; *[a-z*][a-z0-9_.*-]*(?:=[^;]*)?)*$/

/**
 * Reads `Content-Digest` (RFC 9530): the SHA-256 it declares, in lower-case hex, or undefined where there is no header.
 * Other algorithms are passed over beside `sha-256`. Without it the header is refused: a client that declares a digest
 * must not believe that it was checked.
 *
 * @throws UploadError `INVALID_REQUEST`
 */
export function parseContentDigest(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  let sha256: Buffer | undefined
  // No comma can stand inside a byte sequence.
  for (const part of text.split(',')) {
    const [, key, value] = MEMBER.exec(part.trim()) ?? []
    if (key === undefined || value === undefined) {
      throw invalidHeader(FIELD, `${FIELD} must look like sha-256=:<base64>: (RFC 9530).`)
    }
    // "When duplicate Dictionary keys are encountered, all but the last instance are ignored."
    if (key === 'sha-256') sha256 = Buffer.from(value, 'base64')
  }
  if (sha256 === undefined) throw invalidHeader(FIELD, `${FIELD} must have sha-256: no other digest is checked here.`)
  if (sha256.length !== 32) throw invalidHeader(FIELD, `The sha-256 of ${FIELD} must be 32 bytes in base64.`)
  return sha256.toString('hex')
}
