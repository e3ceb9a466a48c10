import type { Principal } from '../../../src/index.ts'
import type { Configuration } from '../configuration.ts'
import { authenticateByKey } from './api-keys.ts'
import type { TokenRequest } from './jwt.ts'

/** What authentication is made of. */
export type AccessConfiguration = Pick<
  Configuration,
  'AUTH' | 'JWT_SECRET' | 'JWKS_URL' | 'JWT_ISSUER' | 'JWT_AUDIENCE' | 'API_KEYS'
>

/** Says who sends a request. */
export type Authentication = (request: TokenRequest) => Principal | null | Promise<Principal | null>

/** The authentication that is configured, or null where nobody is asked. What is not used is not loaded. */
export async function createAuthentication(configuration: AccessConfiguration): Promise<Authentication | null> {
  const { AUTH, JWT_SECRET, JWKS_URL, JWT_ISSUER, JWT_AUDIENCE, API_KEYS } = configuration
  switch (AUTH) {
    case 'jwt': {
      const { authenticateByToken } = await import('./jwt.ts')
      const { remoteKeys, secretKeys } = await import('./token-keys.ts')
      return authenticateByToken({
        keys: JWKS_URL === null ? secretKeys(JWT_SECRET ?? '') : remoteKeys(JWKS_URL),
        issuer: JWT_ISSUER,
        audience: JWT_AUDIENCE,
      })
    }
    case 'api-key':
      return authenticateByKey(API_KEYS ?? [])
    case 'none':
    case null:
      return null
  }
}
