import type { IncomingHttpHeaders } from 'node:http'
import { parseContentDigest } from './content-digest.ts'
import { headerText, invalidHeader } from './header.ts'

const FIELD = 'X-Chunk-Checksum'

/**
 * Reads `X-Chunk-Checksum`: the SHA-256 of the chunk in hex, any case. Returned in lower case.
 * @throws UploadError `INVALID_REQUEST`
 */
export function parseChunkChecksum(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase()
  throw invalidHeader(FIELD, `${FIELD} must be the SHA-256 of the chunk: 64 hexadecimal digits.`)
}

/**
 * The SHA-256 (lower-case hex) a body is declared to have, by either header, or undefined where none declares one.
 * @throws UploadError `INVALID_REQUEST`, also when both are there and differ
 */
export function declaredChecksum(headers: IncomingHttpHeaders): string | undefined {
  const checksum = parseChunkChecksum(headerText(headers, 'x-chunk-checksum'))
  const digest = parseContentDigest(headerText(headers, 'content-digest'))
  if (checksum !== undefined && digest !== undefined && checksum !== digest) {
    throw invalidHeader('Content-Digest', `Content-Digest and ${FIELD} declare different checksums.`)
  }
  return checksum ?? digest
}
