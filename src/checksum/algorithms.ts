import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** The algorithms a body's checksum may be of, by the names they have in `Tus-Checksum-Algorithm`. */
export const CHECKSUM_ALGORITHMS = ['sha1', 'sha256', 'sha512', 'md5', 'crc32'] as const

/** One of {@link CHECKSUM_ALGORITHMS}. */
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number]

/** Bytes of a digest. */
export const DIGEST_BYTES = {
  sha1: 20,
  sha256: 32,
  sha512: 64,
  md5: 16,
  crc32: 4,
} as const satisfies Readonly<Record<ChecksumAlgorithm, number>>

/** A checksum of the bytes given to it so far. */
export interface RunningChecksum {
  update(bytes: Buffer): void
  /** May be asked again, and more bytes may come after it. */
  digest(): Buffer
}

/** Begins a checksum, of no bytes yet. */
export function createChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  if (algorithm === 'crc32') return createCrc32()
  const hash = createHash(algorithm)
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => hash.copy().digest(),
  }
}

/** CRC-32 as zlib, PNG and Ethernet have it; its four bytes with the most significant first. */
function createCrc32(): RunningChecksum {
  let value = 0
  return {
    update: (bytes) => {
      value = crc32(bytes, value)
    },
    digest: () => {
      const digest = Buffer.alloc(DIGEST_BYTES.crc32)
      digest.writeUInt32BE(value)
      return digest
    },
  }
}
