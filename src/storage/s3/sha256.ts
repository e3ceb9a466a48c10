import { createHash } from 'node:crypto'

/** SHA-256 in hex. */
export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A digest as S3 writes it. */
export function toBase64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

/** A digest of S3's as we write it, or null where it is no SHA-256 of bytes. */
export function toHex(base64: string | undefined): string | null {
  if (base64 === undefined) return null
  const bytes = Buffer.from(base64, 'base64')
  return bytes.length === 32 && bytes.toString('base64') === base64 ? bytes.toString('hex') : null
}

/** What S3 calls the SHA-256 of an object made of parts: the digest of the parts' digests, and how many they are. */
export function compositeOf(digests: readonly string[]): string {
  const hash = createHash('sha256')
  for (const digest of digests) hash.update(digest, 'hex')
  return `${hash.digest('base64')}-${digests.length}`
}
