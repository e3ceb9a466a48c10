import { expect, test } from 'vitest'
import { accessWarnings } from '../../../../../adapters/standalone/authentication/warnings.ts'
import { readConfiguration } from '../../../../../adapters/standalone/configuration.ts'

const JWT_SECRET = 'marked secret of more than 32 bytes'

test.each([
  [{}, []],
  [{ AUTH: 'none' }, []],
  [{ AUTH: 'none', HOST: '0.0.0.0' }, [/^AUTH is none and HOST is 0\.0\.0\.0: anybody/]],
  [{ JWT_SECRET }, [/^AUTH is not set, and nobody is asked/]],
  [{ API_KEYS: 'ann:marked' }, [/^AUTH is not set, and nobody is asked/]],
  [{ AUTH: 'jwt', JWT_SECRET }, []],
  [{ AUTH: 'jwt', JWKS_URL: 'https://id.example/keys' }, [/^JWT_AUDIENCE is not set/]],
  [{ AUTH: 'jwt', JWKS_URL: 'http://[::1]:8080/keys', JWT_AUDIENCE: 'x' }, []],
  [{ AUTH: 'jwt', JWKS_URL: 'http://id.example/keys', JWT_AUDIENCE: 'x' }, [/^JWKS_URL is http/]],
  [{ AUTH: 'api-key', API_KEYS: 'ann:0123456789abcdef,eve:marked' }, [/^API_KEYS: a key of eve has less than 16/]],
])('%j is worth these lines, without a secret in them', (environment, expected) => {
  const warnings = accessWarnings(readConfiguration({ values: {}, positionals: [] }, environment))
  expect(warnings).toEqual(expected.map((line) => expect.stringMatching(line)))
  expect(warnings.join('')).not.toContain('marked')
})
