import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type JWK, SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type KeySetOptions, remoteKeys } from '../../../../../adapters/standalone/authentication/token-keys.ts'
import { asker, errorOf, REFUSED } from './token-requests.ts'

interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const OTHER_RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PAIRS: Readonly<Record<string, Pair>> = {
  ...Object.fromEntries(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => [alg, RSA])),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: generateKeyPairSync('ed25519'),
}

function jwk({ publicKey }: Pair, kid?: string): JWK {
  return { ...(publicKey.export({ format: 'jwk' }) as JWK), ...(kid === undefined ? {} : { kid }) }
}

function token(alg: string, { privateKey }: Pair, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return new SignJWT({ sub: 'ann' }).setProtectedHeader({ alg, ...header }).sign(privateKey)
}

interface KeyServer {
  readonly url: URL
  /** How often it was asked. */
  readonly asked: () => number
  /** What it serves from now on. */
  readonly serve: (keys: readonly JWK[] | RequestListener) => void
  readonly server: Server
}

async function keyServer(keys: readonly JWK[]): Promise<KeyServer> {
  let asked = 0
  let answer: RequestListener = () => {}
  const serve = (next: readonly JWK[] | RequestListener): void => {
    answer =
      typeof next === 'function' ? next : (_request, response) => void response.end(JSON.stringify({ keys: next }))
  }
  serve(keys)
  const server = createServer((request, response) => {
    asked += 1
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`)
  return { url, asked: () => asked, serve, server }
}

/** Short times, so that a test sees both sides of them. */
const QUICK: KeySetOptions = { timeoutMs: 300, cooldownMs: 200 }

describe('a key set', () => {
  it.each(Object.entries(PAIRS))('has keys for %s', async (alg, pair) => {
    const { url } = await keyServer([jwk(pair, 'a')])
    expect(await asker({ keys: remoteKeys(url) })(await token(alg, pair, { kid: 'a' }))).toMatchObject({ id: 'ann' })
  })

  it('is fetched once for all who ask at the same time, and then kept', async () => {
    const { url, asked } = await keyServer([jwk(RSA, 'a')])
    const ask = asker({ keys: remoteKeys(url) })
    const text = await token('RS256', RSA, { kid: 'a' })
    await Promise.all(Array.from({ length: 20 }, () => ask(text)))
    await ask(text)
    expect(asked()).toBe(1)
  })

  it('is fetched again when it is old', async () => {
    const { url, asked } = await keyServer([jwk(RSA, 'a')])
    const ask = asker({ keys: remoteKeys(url, { freshMs: 0 }) })
    const text = await token('RS256', RSA, { kid: 'a' })
    await ask(text)
    await ask(text)
    expect(asked()).toBe(2)
  })

  it('is fetched again for a key that is newer than it, however new', async () => {
    const { url, serve } = await keyServer([jwk(RSA, 'a')])
    const ask = asker({ keys: remoteKeys(url, QUICK) })
    await ask(await token('RS256', RSA, { kid: 'a' }))
    serve([jwk(RSA, 'a'), jwk(OTHER_RSA, 'b')])
    expect(await ask(await token('RS256', OTHER_RSA, { kid: 'b' }))).toMatchObject({ id: 'ann' })
  })

  it('is fetched at most once in a while for keys that strangers make up', async () => {
    const { url, asked } = await keyServer([jwk(RSA, 'a')])
    const ask = asker({ keys: remoteKeys(url, QUICK) })
    await ask(await token('RS256', RSA, { kid: 'a' }))
    const made = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => token('RS256', OTHER_RSA, { kid: `x${n}` })),
    )
    for (const error of await Promise.all(made.map((text) => errorOf(ask(text))))) expect(error).toMatchObject(REFUSED)
    expect(asked()).toBe(2)
  })

  it('may hold several keys that fit a token which names none', async () => {
    const { url } = await keyServer([jwk(RSA, 'a'), jwk(OTHER_RSA, 'b')])
    const ask = asker({ keys: remoteKeys(url) })
    for (const pair of [RSA, OTHER_RSA]) expect(await ask(await token('RS256', pair))).toMatchObject({ id: 'ann' })
    const third = generateKeyPairSync('rsa', { modulusLength: 2048 })
    expect(await errorOf(ask(await token('RS256', third)))).toMatchObject(REFUSED)
  })
})

describe('a token that brings a key of its own is refused:', () => {
  it('the public key taken for a secret', async () => {
    const { url, asked } = await keyServer([jwk(RSA, 'a')])
    const ask = asker({ keys: remoteKeys(url) })
    const pem = RSA.publicKey.export({ format: 'pem', type: 'spki' }).toString()
    const der = RSA.publicKey.export({ format: 'der', type: 'spki' })
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk(RSA, 'a')), String(jwk(RSA).n), der]) {
      const key = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        const text = await new SignJWT({ sub: 'ann' }).setProtectedHeader({ alg, kid: 'a' }).sign(key)
        expect(await errorOf(ask(text)), alg).toMatchObject(REFUSED)
      }
    }
    expect(asked()).toBe(0)
  })

  it('in its header, or the address of one', async () => {
    const { url } = await keyServer([jwk(RSA, 'a')])
    const own = await keyServer([jwk(OTHER_RSA, 'a')])
    const ask = asker({ keys: remoteKeys(url, QUICK) })
    for (const header of [
      { kid: 'a', jwk: jwk(OTHER_RSA) },
      { kid: 'a', jku: own.url.href, x5u: own.url.href },
      { jwk: jwk(OTHER_RSA, 'a') },
      { kid: own.url.href },
      { kid: '../../dev/null' },
    ]) {
      expect(await errorOf(ask(await token('RS256', OTHER_RSA, header)))).toMatchObject(REFUSED)
    }
    expect(own.asked()).toBe(0)
  })

  it('an algorithm for which the set has no key', async () => {
    const { url } = await keyServer([jwk(RSA, 'a')])
    const ask = asker({ keys: remoteKeys(url, QUICK) })
    const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' })
    expect(await errorOf(ask(await token('ES256', PAIRS['ES256'] ?? RSA, { kid: 'a' })))).toMatchObject(REFUSED)
    expect(await errorOf(ask(await token('ES512', p521, { kid: 'a' })))).toMatchObject(REFUSED)
  })
})

describe('a key server that does not answer is a passing trouble:', () => {
  const TROUBLES: readonly (readonly [string, RequestListener])[] = [
    ['nothing comes', () => {}],
    ['half comes', (_request, response) => void response.write('{"keys":[')],
    ['the connection breaks', (request) => void request.socket.destroy()],
    ['500', (_request, response) => void response.writeHead(500).end('{"keys":[]}')],
    ['404', (_request, response) => void response.writeHead(404).end('{"keys":[]}')],
    ['a redirect', (_request, response) => void response.writeHead(302, { Location: '/elsewhere' }).end()],
    ['a page', (_request, response) => void response.end('<!doctype html>')],
    ['other JSON', (_request, response) => void response.end('{"keys":{}}')],
    ['a key that is none', (_request, response) => void response.end('{"keys":[{"kty":"RSA","kid":"a","n":5}]}')],
  ]

  it.each(TROUBLES)('%s', async (_name, trouble) => {
    const { url, serve } = await keyServer([jwk(RSA, 'a')])
    // Nothing is kept: what comes after the trouble shows that it has passed.
    const ask = asker({ keys: remoteKeys(url, { ...QUICK, freshMs: 0 }) })
    const text = await token('RS256', RSA, { kid: 'a' })
    serve(trouble)
    const error = await errorOf(ask(text))
    expect(error).toMatchObject({ code: 'STATE_UNAVAILABLE', status: 503, status_code: 423 })
    expect(error.body).not.toMatch(/127\.0\.0\.1|keys"/)
    serve([jwk(RSA, 'a')])
    expect(await ask(text)).toMatchObject({ id: 'ann' })
  })

  it('it is not there', async () => {
    const { url, server } = await keyServer([])
    server.close()
    const ask = asker({ keys: remoteKeys(url, QUICK) })
    const text = await token('RS256', RSA)
    expect(await errorOf(ask(text))).toMatchObject({ code: 'STATE_UNAVAILABLE' })
    // What no key could make right is refused at once.
    expect(await errorOf(ask('not a token'.replaceAll(' ', '-')))).toMatchObject(REFUSED)
  })

  it('keys that are known go on for as long as the set is believed', async () => {
    const { url, serve } = await keyServer([jwk(RSA, 'a')])
    const ask = asker({ keys: remoteKeys(url, QUICK) })
    const text = await token('RS256', RSA, { kid: 'a' })
    await ask(text)
    serve((_request, response) => void response.writeHead(500).end())
    expect(await ask(text)).toMatchObject({ id: 'ann' })
  })
})
