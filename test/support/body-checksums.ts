import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** The algorithms of tus checksums that are served. */
export const ALGORITHMS = ['sha1', 'sha256', 'sha512', 'md5', 'crc32'] as const

type Algorithm = (typeof ALGORITHMS)[number]

/** `Upload-Checksum` of these bytes. */
export function uploadChecksum(bytes: Uint8Array, algorithm: Algorithm = 'sha1'): string {
  return `${algorithm} ${digestOf(bytes, algorithm).toString('base64')}`
}

/** `Content-Digest` of these bytes. */
export function contentDigest(bytes: Uint8Array, algorithm: 'sha256' | 'sha512' = 'sha256'): string {
  return `${algorithm.replace('sha', 'sha-')}=:${digestOf(bytes, algorithm).toString('base64')}:`
}

function digestOf(bytes: Uint8Array, algorithm: Algorithm): Buffer {
  if (algorithm !== 'crc32') return createHash(algorithm).update(bytes).digest()
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE(crc32(bytes))
  return digest
}
