import { UploadError } from '../errors.ts'
import { type ChecksumAlgorithm, DIGEST_BYTES } from './algorithms.ts'
import type { Checksum } from './body-checksum.ts'

const FIELD = 'Content-Digest'

/** The algorithms of RFC 9530's registry that are not called insecure there, by their keys. */
const ALGORITHMS: ReadonlyMap<string, ChecksumAlgorithm> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])

/**
 * One member of the dictionary: `sha-256=:…:`, every value a byte sequence (RFC 9530 section 2). RFC 8941 allows
 * parameters, RFC 9530 defines none: they are passed over.
 */
const MEMBER = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:; *[a-z*][a-z0-9_.*-]*(?:=[^;]*)?)*$/

/**
 * Reads `Content-Digest` (RFC 9530): every digest in it that is known here; others are passed over beside one that is.
 * "A recipient MAY ignore any or all digests. Application-specific behavior or local policy MAY set additional
 * constraints": where none is known the header is refused, as a client that declares a digest must not believe that it
 * was checked.
 *
 * @throws UploadError `INVALID_REQUEST`
 */
export function parseContentDigest(text: string): readonly Checksum[] {
  const known = new Map<ChecksumAlgorithm, Checksum>()
  // No comma can stand inside a byte sequence.
  for (const part of text.split(',')) {
    const [, key, value] = MEMBER.exec(part.trim()) ?? []
    if (key === undefined || value === undefined)
      throw invalid(`${FIELD} must look like sha-256=:<base64>: (RFC 9530).`)
    const algorithm = ALGORITHMS.get(key)
    if (algorithm === undefined) continue
    // "When duplicate Dictionary keys are encountered, all but the last instance are ignored."
    known.set(algorithm, { algorithm, digest: Buffer.from(value, 'base64') })
  }
  if (known.size === 0) throw invalid(`${FIELD} must have sha-256 or sha-512: no other digest is checked here.`)
  for (const { algorithm, digest } of known.values()) {
    if (digest.length !== DIGEST_BYTES[algorithm]) {
      throw invalid(`The ${algorithm} of ${FIELD} must be ${DIGEST_BYTES[algorithm]} bytes in base64.`)
    }
  }
  return [...known.values()]
}

function invalid(message: string): UploadError {
  return new UploadError('INVALID_REQUEST', { message, details: { field: FIELD } })
}
