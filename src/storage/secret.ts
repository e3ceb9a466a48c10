import { randomBytes } from 'node:crypto'

/** Bytes of a storage's secret: as long as the digest that is keyed with it. */
const SECRET_BYTES = 32

/** A secret as it is kept. */
export interface KeptSecret {
  readonly version: 1
  /** In base64url. */
  readonly secret: string
}

/** Draws a secret. */
export function newSecret(): KeptSecret {
  return { version: 1, secret: randomBytes(SECRET_BYTES).toString('base64url') }
}

/**
 * The bytes of a secret that was kept.
 * @throws Error where it is none. It is not replaced: other processes may have read it while it could be read.
 */
export function parseSecret(kept: { readonly [key: string]: unknown }, place: string): Buffer {
  const bytes = typeof kept['secret'] === 'string' ? Buffer.from(kept['secret'], 'base64url') : null
  if (kept['version'] === 1 && bytes?.length === SECRET_BYTES) return bytes
  throw new Error(
    `The secret in ${place} cannot be read. Where it is deleted a new one is made, and tokens of uploads end.`,
  )
}
