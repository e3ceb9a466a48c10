import { expect } from 'vitest'
import { authenticateByToken, type TokenChecks } from '../../../../../adapters/standalone/authentication/jwt.ts'
import { isUploadError, type Principal, type UploadError } from '../../../../../src/index.ts'

/** Asks who sends a request with this token. */
export function asker(checks: Pick<TokenChecks, 'keys'> & Partial<TokenChecks>) {
  const authenticate = authenticateByToken({ issuer: null, audience: null, ...checks })
  return async (token: string | undefined): Promise<Principal | null> =>
    authenticate({ headers: token === undefined ? {} : { authorization: `Bearer ${token}` }, log: { debug: () => {} } })
}

/** The error that a token is answered with. */
export async function errorOf(asked: Promise<Principal | null>): Promise<UploadError> {
  const error: unknown = await asked.then(
    (principal) => expect.fail(`taken for ${JSON.stringify(principal)}`),
    (thrown: unknown) => thrown,
  )
  return isUploadError(error) ? error : expect.fail(`thrown: ${String(error)}`)
}

/** What credentials that are no good are answered with. */
export const REFUSED = { code: 'UNAUTHENTICATED', details: { error: 'invalid_token' } }
