import type { Checksum, DeclaredChecksums } from '../../checksum/body-checksum.ts'
import {
  CONTENT_DIGEST,
  readChecksums,
  type ChecksumField,
  type ChecksumRequest,
} from '../../checksum/read-checksums.ts'
import { invalidHeader } from './header.ts'

const FIELD = 'X-Chunk-Checksum'

/**
 * Reads `X-Chunk-Checksum`: the SHA-256 of the chunk in hex, any case.
 * @throws UploadError `INVALID_REQUEST`
 */
export function parseChunkChecksum(text: string): readonly Checksum[] {
  if (/^[0-9a-f]{64}$/i.test(text)) return [{ algorithm: 'sha256', digest: Buffer.from(text, 'hex') }]
  throw invalidHeader(FIELD, `${FIELD} must be the SHA-256 of the chunk: 64 hexadecimal digits.`)
}

const CHUNK_CHECKSUM: ChecksumField = { name: FIELD, parse: parseChunkChecksum }

/**
 * The checksums a chunk is declared to have, by either field, in a header or an announced trailer, or undefined where none
 * declares one.
 * @throws UploadError `INVALID_REQUEST`, also when headers declare two of one algorithm that differ
 */
export function declaredChecksums(request: ChecksumRequest): DeclaredChecksums | undefined {
  const declared = readChecksums(request, [CHUNK_CHECKSUM, CONTENT_DIGEST])
  for (const { algorithm, digest } of declared?.before ?? []) {
    const other = declared?.before.find((one) => one.algorithm === algorithm && !one.digest.equals(digest))
    if (other === undefined) continue
    throw invalidHeader(CONTENT_DIGEST.name, `${CONTENT_DIGEST.name} and ${FIELD} declare different checksums.`)
  }
  return declared
}
