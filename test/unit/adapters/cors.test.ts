import { describe, expect, test } from 'vitest'
import {
  checkCorsOptions,
  corsHeaders,
  isPreflight,
  preflightHeaders,
  type CorsOptions,
} from '../../../adapters/cors.ts'

const ANY: CorsOptions = { origins: '*', credentials: false }
const NAMED: CorsOptions = { origins: ['https://a.example', 'http://localhost:5173'], credentials: true }
const from = (origin: string | undefined, method = 'GET', requestMethod?: string) => ({ origin, method, requestMethod })
const namesIn = (list: string | undefined): string[] => (list ?? '').split(', ')

describe('isPreflight', () => {
  test('tells a preflight from a discovery OPTIONS of tus', () => {
    expect(isPreflight(from('https://a.example', 'OPTIONS', 'PATCH'))).toBe(true)
    expect(isPreflight(from('https://a.example', 'OPTIONS'))).toBe(false)
    expect(isPreflight(from(undefined, 'OPTIONS', 'PATCH'))).toBe(false)
    expect(isPreflight(from('https://a.example', 'POST', 'PATCH'))).toBe(false)
  })
})

describe('corsHeaders', () => {
  test('lets every origin in, without credentials and the same for all', () => {
    for (const origin of ['https://a.example', 'null', undefined]) {
      const headers = corsHeaders(ANY, from(origin))
      expect(headers['Access-Control-Allow-Origin']).toBe('*')
      expect(headers).not.toHaveProperty('Vary')
      expect(headers).not.toHaveProperty('Access-Control-Allow-Credentials')
    }
  })

  test('names the origin that asks where it is allowed', () => {
    expect(corsHeaders(NAMED, from('https://a.example'))).toMatchObject({
      'Access-Control-Allow-Origin': 'https://a.example',
      'Access-Control-Allow-Credentials': 'true',
      Vary: 'Origin',
    })
  })

  test.each([
    'https://b.example',
    'https://a.example.evil',
    'https://a.example:444',
    'http://a.example',
    'null',
    undefined,
  ])('tells %j nothing but that the answer depends on it', (origin) => {
    expect(corsHeaders(NAMED, from(origin))).toEqual({ Vary: 'Origin' })
    expect(preflightHeaders(NAMED, from(origin, 'OPTIONS', 'POST'))).toEqual({ Vary: 'Origin' })
  })

  test.each([
    'Location',
    'Retry-After',
    'Tus-Resumable',
    'Tus-Version',
    'Tus-Extension',
    'Tus-Max-Size',
    'Tus-Checksum-Algorithm',
    'Upload-Offset',
    'Upload-Length',
    'Upload-Metadata',
    'Upload-Expires',
    'Upload-Defer-Length',
    'Upload-Concat',
    'Content-Digest',
    'Repr-Digest',
    'ETag',
    'Content-Range',
    'Accept-Ranges',
    'Content-Disposition',
    'Preference-Applied',
    'X-Request-ID',
  ])('lets pages read %s', (name) => {
    expect(namesIn(corsHeaders(ANY, from('x'))['Access-Control-Expose-Headers'])).toContain(name)
  })
})

describe('preflightHeaders', () => {
  test('allows the methods of both faces', () => {
    const methods = preflightHeaders(ANY, from('x', 'OPTIONS', 'PATCH'))['Access-Control-Allow-Methods']
    expect(namesIn(methods)).toEqual(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'])
  })

  test.each([
    'Authorization',
    'Content-Type',
    'Content-Digest',
    'Repr-Digest',
    'Want-Repr-Digest',
    'Idempotency-Key',
    'Prefer',
    'Range',
    'If-Range',
    'If-None-Match',
    'Tus-Resumable',
    'Upload-Length',
    'Upload-Offset',
    'Upload-Metadata',
    'Upload-Defer-Length',
    'Upload-Concat',
    'Upload-Checksum',
    'X-HTTP-Method-Override',
    'X-Requested-With',
    'X-Request-ID',
    'X-Chunk-Number',
    'X-Chunk-Checksum',
  ])('lets pages send %s', (name) => {
    const headers = preflightHeaders(ANY, from('x', 'OPTIONS', 'PATCH'))
    expect(namesIn(headers['Access-Control-Allow-Headers'])).toContain(name)
  })

  test('lets a page of a public network in where it asks, and its origin is allowed', () => {
    const asked = { ...from('https://a.example', 'OPTIONS', 'POST'), privateNetwork: true }
    expect(preflightHeaders(ANY, asked)['Access-Control-Allow-Private-Network']).toBe('true')
    expect(preflightHeaders(NAMED, asked)['Access-Control-Allow-Private-Network']).toBe('true')
    const stranger = { ...asked, origin: 'https://b.example' }
    expect(preflightHeaders(NAMED, stranger)).toEqual({ Vary: 'Origin' })
    const notAsked = preflightHeaders(ANY, from('https://a.example', 'OPTIONS', 'POST'))
    expect(notAsked).not.toHaveProperty('Access-Control-Allow-Private-Network')
  })

  test('lets pages send what an application adds', () => {
    const headers = preflightHeaders(
      { ...NAMED, requestHeaders: ['X-My-Token'] },
      from('https://a.example', 'OPTIONS', 'PATCH'),
    )
    expect(namesIn(headers['Access-Control-Allow-Headers'])).toContain('X-My-Token')
    expect(headers['Access-Control-Allow-Credentials']).toBe('true')
  })
})

describe('checkCorsOptions', () => {
  test('refuses credentials for everybody', () => {
    expect(() => checkCorsOptions({ origins: '*', credentials: true })).toThrow(/cors\.credentials/)
  })

  test.each([
    'https://a.example/',
    'https://a.example/x',
    'a.example',
    'https://A.example',
    '*',
    'https://*.example',
    '',
    'null',
  ])('refuses %j as an origin', (origin) => {
    expect(() => checkCorsOptions({ origins: [origin], credentials: false })).toThrow(/cors\.origins/)
  })

  test.each(['https://a.example', 'http://localhost:3000', 'http://[::1]:8080', 'capacitor://localhost'])(
    'accepts %j',
    (origin) => {
      expect(() => checkCorsOptions({ origins: [origin], credentials: true })).not.toThrow()
    },
  )
})
