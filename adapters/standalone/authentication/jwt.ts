import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import { errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose'
import type { Principal } from '../../../src/index.ts'
import { bearerOf } from '../../bearer.ts'
import { refused } from './credentials.ts'
import type { TokenKeys } from './token-keys.ts'

/** What tokens are checked against. */
export interface TokenChecks {
  readonly keys: TokenKeys
  /** `iss` must be this, where it is not null. */
  readonly issuer: string | null
  /** `aud` must have this, where it is not null. */
  readonly audience: string | null
}

/** A request, as far as it says who sends it. */
export interface TokenRequest {
  readonly headers: IncomingHttpHeaders
  readonly log: Pick<FastifyBaseLogger, 'debug'>
}

/** Seconds by which the clock of who made a token may differ from ours. */
const CLOCK_TOLERANCE_S = 30

/** Says by its token who sends a request. Null where it has none. */
export function authenticateByToken(checks: TokenChecks): (request: TokenRequest) => Promise<Principal | null> {
  const { keys, issuer, audience } = checks
  const options: JWTVerifyOptions = {
    algorithms: [...keys.algorithms],
    clockTolerance: CLOCK_TOLERANCE_S,
    requiredClaims: ['sub'],
    ...(issuer === null ? {} : { issuer }),
    ...(audience === null ? {} : { audience }),
  }
  return async ({ headers, log }) => {
    const token = bearerOf(headers)
    if (token === null) return null
    try {
      return principalOf(await verify(token, keys, options))
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error
      // In words of jose's own, which quote nothing of the token.
      log.debug({ reason: error.message }, 'the token was refused')
      throw refused(error instanceof errors.JWTExpired ? 'The token has expired.' : 'The token is not valid.', error)
    }
  }
}

async function verify(token: string, keys: TokenKeys, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keys.keyFor, options)).payload
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    // A token that does not name its key may be of any that fits.
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, options)).payload
      } catch (wrong) {
        if (!(wrong instanceof errors.JWSSignatureVerificationFailed)) throw wrong
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

function principalOf({ sub, scope, scopes, scp }: JWTPayload): Principal {
  if (typeof sub !== 'string' || sub === '') throw new errors.JWTInvalid('"sub" must be a text that is not empty')
  return { id: sub, scopes: [scope, scopes, scp].flatMap(scopesOf) }
}

/** A list, or one text with spaces between (RFC 8693 section 4.2): issuers differ. */
function scopesOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(' ').filter((one) => one !== '')
  return Array.isArray(claim) ? claim.filter((one) => typeof one === 'string') : []
}
