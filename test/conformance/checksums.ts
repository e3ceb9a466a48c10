import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Checksum algorithms as clients name them, and how the digest is made. */
const DIGESTS: Readonly<Record<string, (bytes: Uint8Array) => Buffer>> = {
  sha1: hash('sha1'),
  md5: hash('md5'),
  sha256: hash('sha256'),
  sha512: hash('sha512'),
  // The four bytes of the sum, the highest first.
  crc32: (bytes) => {
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(bytes))
    return sum
  },
}

function hash(name: string): (bytes: Uint8Array) => Buffer {
  return (bytes) => createHash(name).update(bytes).digest()
}

/** `Upload-Checksum` of bytes. */
export function checksumOf(algorithm: string, bytes: Uint8Array): string {
  const digest = DIGESTS[algorithm]
  if (digest === undefined) throw new Error(`no digest for ${algorithm}`)
  return `${algorithm} ${digest(bytes).toString('base64')}`
}
