import { createHmac } from 'node:crypto'
import { EncryptJWT, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it, test } from 'vitest'
import { authenticateByToken } from '../../../../../adapters/standalone/authentication/jwt.ts'
import { secretKeys } from '../../../../../adapters/standalone/authentication/token-keys.ts'
import { asker, errorOf, REFUSED } from './token-requests.ts'

const SECRET = 'a secret of more than thirty-two bytes'
const KEY = new TextEncoder().encode(SECRET)
const ask = asker({ keys: secretKeys(SECRET) })

const now = (): number => Math.floor(Date.now() / 1000)

function signed(claims: JWTPayload, alg = 'HS256', key = KEY): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key)
}

describe('a token of HS256', () => {
  it('says who sends the request', async () => {
    expect(await ask(await signed({ sub: 'ann', exp: now() + 60 }))).toEqual({ id: 'ann', scopes: [] })
  })

  it.each([
    [{ scope: 'uploads admin' }, ['uploads', 'admin']],
    [{ scopes: ['uploads', 'admin', 5] }, ['uploads', 'admin']],
    [{ scp: ['admin'] }, ['admin']],
    [{ scp: 'a b' }, ['a', 'b']],
    [{ scope: 'a', scp: ['b'] }, ['a', 'b']],
    [{ scope: { admin: true }, scopes: 1 }, []],
    [{ scope: ' administrator  ' }, ['administrator']],
  ])('brings its scopes: %j', async (claims, scopes) => {
    expect(await ask(await signed({ sub: 'ann', ...claims }))).toEqual({ id: 'ann', scopes })
  })

  it('is nobody’s where there is none', async () => {
    expect(await ask(undefined)).toBeNull()
    const authenticate = authenticateByToken({ keys: secretKeys(SECRET), issuer: null, audience: null })
    for (const authorization of ['', 'Bearer', 'Bearer ', 'Basic YW5uOmFubg==', 'ann', 'Bearer a b', 'xBearer a']) {
      expect(await authenticate({ headers: { authorization }, log: { debug: () => {} } })).toBeNull()
    }
  })

  it('may follow the scheme in any case', async () => {
    const authenticate = authenticateByToken({ keys: secretKeys(SECRET), issuer: null, audience: null })
    const authorization = `bearer  ${await signed({ sub: 'ann' })} `
    expect(await authenticate({ headers: { authorization }, log: { debug: () => {} } })).toMatchObject({ id: 'ann' })
  })

  it.each([
    ['exp', -31, -20, 'The token has expired.'],
    ['nbf', 35, 20, 'The token is not valid.'],
  ])('has its time, with half a minute for clocks that differ: %s', async (claim, outside, inside, message) => {
    const error = await errorOf(ask(await signed({ sub: 'ann', [claim]: now() + outside })))
    expect(error).toMatchObject({ ...REFUSED, message })
    expect(await ask(await signed({ sub: 'ann', [claim]: now() + inside }))).toMatchObject({ id: 'ann' })
  })

  it.each([
    [{}],
    [{ sub: '' }],
    [{ sub: 5 }],
    [{ sub: null }],
    [{ sub: ['ann'] }],
    [{ sub: 'ann', exp: 'tomorrow' }],
    [{ sub: 'ann', nbf: '0' }],
  ])('is refused with the claims %j', async (claims) => {
    expect(await errorOf(ask(await signed(claims as JWTPayload)))).toMatchObject(REFUSED)
  })

  it('is refused with one character changed, wherever', async () => {
    const token = await signed({ sub: 'ann' })
    // Of the last one, two bits say nothing.
    for (let at = 0; at < token.length - 1; at += 1) {
      const other = token[at] === 'A' ? 'B' : 'A'
      expect(await errorOf(ask(token.slice(0, at) + other + token.slice(at + 1)))).toMatchObject(REFUSED)
    }
  })

  it.each(['.', '..', '...', 'a.b.c', 'null', '{}', 'e30.e30.', `${'A'.repeat(10_000)}.e30.AAAA`, 'ü', '"', '\u0000'])(
    'is refused where it is none: %j',
    async (text) => {
      expect(await errorOf(ask(text))).toMatchObject(REFUSED)
    },
  )
})

describe('a token that is signed otherwise is refused:', () => {
  const claims = { sub: 'ann' }

  it('not at all', async () => {
    const unsecured = new UnsecuredJWT(claims).encode()
    const [, payload = ''] = unsecured.split('.')
    const [, , signature = ''] = (await signed(claims)).split('.')
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', 'HS256 ', 'hs256', 'null']) {
      const header = Buffer.from(JSON.stringify({ alg })).toString('base64url')
      for (const end of ['', signature, 'AAAA']) {
        expect(await errorOf(ask(`${header}.${payload}.${end}`)), `${alg} ${end}`).toMatchObject(REFUSED)
      }
    }
    expect(await errorOf(ask(unsecured))).toMatchObject(REFUSED)
  })

  it('with another secret, or by another algorithm with this one', async () => {
    const other = new TextEncoder().encode('another secret of thirty-two bytes')
    expect(await errorOf(ask(await signed(claims, 'HS256', other)))).toMatchObject(REFUSED)
    const long = asker({ keys: secretKeys('x'.repeat(64)) })
    const key = new TextEncoder().encode('x'.repeat(64))
    for (const alg of ['HS384', 'HS512']) {
      expect(await errorOf(long(await signed(claims, alg, key))), alg).toMatchObject(REFUSED)
    }
    expect(await long(await signed(claims, 'HS256', key))).toMatchObject({ id: 'ann' })
  })

  it('with an empty secret', async () => {
    const [header, payload] = (await signed(claims)).split('.')
    const signature = createHmac('sha256', '').update(`${header}.${payload}`).digest('base64url')
    expect(await errorOf(ask(`${header}.${payload}.${signature}`))).toMatchObject(REFUSED)
  })

  it('with something in its header that has to be understood', async () => {
    const critical = new SignJWT(claims).setProtectedHeader({ alg: 'HS256', crit: ['x'], x: 1 })
    const token = await critical.sign(KEY, { crit: { x: true } })
    expect(await errorOf(ask(token))).toMatchObject(REFUSED)
  })

  it('and one that is encrypted', async () => {
    const token = await new EncryptJWT(claims)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(KEY.slice(0, 32))
    expect(await errorOf(ask(token))).toMatchObject(REFUSED)
  })
})

describe('with an issuer and an audience', () => {
  const strict = asker({ keys: secretKeys(SECRET), issuer: 'https://id.example', audience: 'uploads' })
  const right = { sub: 'ann', iss: 'https://id.example', aud: 'uploads' }

  it.each([[right], [{ ...right, aud: ['mail', 'uploads'] }]])('takes %j', async (claims) => {
    expect(await strict(await signed(claims))).toMatchObject({ id: 'ann' })
  })

  it.each([
    [{ ...right, iss: 'https://id.example/' }],
    [{ ...right, iss: ['https://id.example'] }],
    [{ ...right, aud: 'upload' }],
    [{ ...right, aud: ['mail'] }],
    [{ sub: 'ann', aud: 'uploads' }],
    [{ sub: 'ann', iss: 'https://id.example' }],
  ])('refuses %j', async (claims) => {
    expect(await errorOf(strict(await signed(claims as unknown as JWTPayload)))).toMatchObject(REFUSED)
  })
})

test('why a token is refused is for the log alone, and neither is told of the token', async () => {
  const logged: unknown[] = []
  const log = { debug: (...words: readonly unknown[]) => void logged.push(words) }
  const authenticate = authenticateByToken({ keys: secretKeys(SECRET), issuer: null, audience: 'uploads' })
  const token = await signed({ sub: 'ann', aud: 'marked-audience' })
  const error = await errorOf(authenticate({ headers: { authorization: `Bearer ${token}` }, log }))
  expect(JSON.stringify(logged)).toContain('aud')
  for (const [, part = ''] of token.matchAll(/([^.]+)/g)) expect(JSON.stringify(logged)).not.toContain(part)
  expect(`${error.body}${JSON.stringify(error.details)}${JSON.stringify(logged)}`).not.toMatch(/marked-audience|secret/)
})
