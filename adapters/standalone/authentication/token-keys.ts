import { createSecretKey, type KeyObject } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createRemoteJWKSet, errors, type CryptoKey, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose'
import { UploadError } from '../../../src/index.ts'

/** Keys that tokens may be signed with, and how. */
export interface TokenKeys {
  /** Each kind of key has its own, so that a public key is never taken for a secret; `none` is in no list. */
  readonly algorithms: readonly string[]
  /** @throws errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys; UploadError `STATE_UNAVAILABLE` */
  readonly keyFor: (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey | KeyObject>
}

/** How a key set is fetched. */
export interface KeySetOptions {
  /** How long a fetch may take, ms. @default 5 s */
  readonly timeoutMs?: number
  /** How long the set is believed, ms. @default 10 min */
  readonly freshMs?: number
  /** The set is not fetched again for keys that are not in it before so long, ms. @default 5 s */
  readonly cooldownMs?: number
}

const SYMMETRIC = ['HS256']
const ASYMMETRIC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']

/** One secret. */
export function secretKeys(secret: string): TokenKeys {
  const key = createSecretKey(secret, 'utf8')
  return { algorithms: SYMMETRIC, keyFor: async () => key }
}

/** The public keys of a key set (RFC 7517), which is fetched when it is needed, and again from time to time. */
export function remoteKeys(url: URL, options: KeySetOptions = {}): TokenKeys {
  const { timeoutMs = 5000, freshMs = 600_000, cooldownMs = 5000 } = options
  const keySet = createRemoteJWKSet(url, {
    timeoutDuration: timeoutMs,
    cacheMaxAge: freshMs,
    cooldownDuration: cooldownMs,
  })

  async function asked(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    try {
      return await keySet(header, token)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error
      // A server that does not answer says nothing of the token: its sender is to try again, and not to start over.
      throw new UploadError('STATE_UNAVAILABLE', {
        message: 'The key server does not answer. Try again.',
        cause: error,
      })
    }
  }

  return {
    algorithms: ASYMMETRIC,
    keyFor: async (header, token) => {
      const justFetched = keySet.coolingDown
      try {
        return await asked(header, token)
      } catch (error) {
        if (!justFetched || !(error instanceof errors.JWKSNoMatchingKey)) throw error
        // The key may be newer than the set. Strangers, who can name any, make no more than one fetch in that time.
        await delay(cooldownMs)
        return asked(header, token)
      }
    },
  }
}
