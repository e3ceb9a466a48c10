import Fastify, { type FastifyServerOptions } from 'fastify'
import { describe, expect, test } from 'vitest'
import { forwardedUrl } from '../../../../adapters/fastify/forwarded-url.ts'

type Headers = Readonly<Record<string, string>>

/** What a request from 127.0.0.1 with these headers is taken for. */
async function urlOf(trustProxy: NonNullable<FastifyServerOptions['trustProxy']>, headers: Headers): Promise<unknown> {
  const app = Fastify({ trustProxy })
  app.get('/', (request) => ({ url: forwardedUrl(request) ?? null }))
  const { url } = (await app.inject({ url: '/', headers: { host: 'inner:1080', ...headers } })).json<{ url: unknown }>()
  return url
}

const FORWARDED: Headers = {
  'x-forwarded-for': '198.51.100.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'up.example',
}

describe('forwardedUrl', () => {
  test('is what a trusted proxy says', async () => {
    for (const trust of [true, '127.0.0.1', 'loopback', ['10.0.0.0/8', 'loopback']]) {
      expect(await urlOf(trust, FORWARDED)).toBe('https://up.example')
    }
    expect(await urlOf(true, { ...FORWARDED, 'x-forwarded-host': 'up.example:8443' })).toBe('https://up.example:8443')
    expect(await urlOf(true, { ...FORWARDED, 'x-forwarded-host': '[2001:db8::1]:80' })).toBe('https://[2001:db8::1]:80')
  })

  test('takes the host that the proxy passes on where it names none', async () => {
    const { 'x-forwarded-host': _, ...rest } = FORWARDED
    expect(await urlOf(true, { ...rest, host: 'up.example' })).toBe('https://up.example')
  })

  test('takes the last of several, which is the nearest proxy', async () => {
    expect(await urlOf(true, { ...FORWARDED, 'x-forwarded-proto': 'http, https' })).toBe('https://up.example')
  })

  test('is nothing where no proxy is trusted, or another one', async () => {
    expect(await urlOf(false, FORWARDED)).toBeNull()
    expect(await urlOf('10.0.0.0/8', FORWARDED)).toBeNull()
  })

  test('is nothing without the headers', async () => {
    expect(await urlOf(true, {})).toBeNull()
    expect(await urlOf(true, { 'x-forwarded-for': '198.51.100.7' })).toBeNull()
  })

  test.each([
    ['x-forwarded-proto', 'javascript'],
    ['x-forwarded-proto', ''],
    ['x-forwarded-host', 'up.example/x'],
    ['x-forwarded-host', 'me@up.example'],
    ['x-forwarded-host', 'up.example, '],
    ['x-forwarded-host', 'a b'],
  ])('is nothing, or the connection itself, where %s is %j', async (name, value) => {
    expect([null, 'http://up.example', 'https://inner:1080']).toContain(
      await urlOf(true, { ...FORWARDED, [name]: value }),
    )
  })
})
