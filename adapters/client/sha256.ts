import { sha256Software } from './sha256-software.ts'

/** What hashes: bytes in, SHA-256 in hex out. */
export type Sha256 = (bytes: ArrayBuffer) => Promise<string>

/**
 * WebCrypto's SHA-256. Browsers have none for pages that came over plain HTTP from another machine: there the hash is
 * computed in JavaScript, several times slower, and still faster than most networks.
 */
export const sha256: Sha256 = async (bytes) => {
  const { subtle }: { readonly subtle?: typeof crypto.subtle } = crypto
  if (subtle === undefined) return sha256Software(new Uint8Array(bytes))
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
