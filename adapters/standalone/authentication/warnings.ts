import { type Configuration, isLoopback } from '../configuration.ts'

/** A key that is shorter can be found by trying. */
const SHORT_KEY = 16

/** What an operator should know of who may upload, in one line each. No value of a secret is in them. */
export function accessWarnings(configuration: Configuration): readonly string[] {
  const { AUTH, HOST, JWT_SECRET, JWKS_URL, JWT_AUDIENCE, API_KEYS } = configuration
  switch (AUTH) {
    case 'jwt':
      return [
        ...(JWKS_URL !== null && JWT_AUDIENCE === null
          ? ['JWT_AUDIENCE is not set: tokens that were issued for other services of JWKS_URL are taken as well']
          : []),
        ...(JWKS_URL?.protocol === 'http:' && !isLoopback(JWKS_URL.hostname.replace(/^\[(.*)\]$/, '$1'))
          ? ['JWKS_URL is http: whoever can change what comes over that network can make tokens']
          : []),
      ]
    case 'api-key':
      return (API_KEYS ?? [])
        .filter(({ key }) => key.length < SHORT_KEY)
        .map(
          ({ name }) =>
            `API_KEYS: a key of ${name} has less than ${SHORT_KEY} characters, and could be found by trying`,
        )
    case 'none':
      return isLoopback(HOST) ? [] : [`AUTH is none and HOST is ${HOST}: anybody who reaches this server may upload`]
    case null:
      return JWT_SECRET === null && JWKS_URL === null && API_KEYS === null
        ? []
        : [
            'AUTH is not set, and nobody is asked who he is: JWT_SECRET, JWKS_URL and API_KEYS need AUTH=jwt or AUTH=api-key',
          ]
  }
}
