import { describe, expect, test } from 'vitest'
import { faceFailure, troubleOf } from '../../../adapters/failures.ts'
import { UploadError } from '../../../src/index.ts'

const thrown = (statusCode: number): Error => Object.assign(new Error(`told ${statusCode}`), { statusCode })
const codeOf = (body: unknown): string => JSON.parse(String(body)).error.code

describe('faceFailure on the JSON face', () => {
  test.each([
    [401, 'UNAUTHENTICATED'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [413, 'BODY_TOO_LARGE'],
    [415, 'UNSUPPORTED_MEDIA_TYPE'],
    [429, 'RATE_LIMITED'],
    [400, 'INVALID_REQUEST'],
  ])('keeps the %d and the message of an application as %s', (status, code) => {
    const reply = faceFailure('json', thrown(status), 'r-1', 'POST')
    expect(reply.status).toBe(status)
    expect(codeOf(reply.body)).toBe(code)
    expect(reply.body).toContain(`told ${status}`)
  })

  test('tells nothing of what failed on this side', () => {
    for (const error of [new Error('secret'), thrown(500), thrown(502), 'secret', null]) {
      const reply = faceFailure('json', error, 'r-1', 'POST')
      expect(reply.status).toBe(500)
      expect(reply.body).not.toMatch(/secret|told/)
    }
    expect(faceFailure('json', thrown(503), 'r-1', 'POST')).toMatchObject({
      status: 503,
      headers: { 'Retry-After': '1' },
    })
  })

  test('challenges who is not known', () => {
    const reply = faceFailure('json', new UploadError('UNAUTHENTICATED'), 'r-1', 'POST')
    expect(reply).toMatchObject({ status: 401, headers: { 'WWW-Authenticate': 'Bearer' } })
  })
})

describe('faceFailure on the tus face', () => {
  test.each([
    ['POST', new UploadError('UNAUTHENTICATED'), 401],
    ['HEAD', new UploadError('FORBIDDEN'), 403],
    ['HEAD', new Error('secret'), 423],
    ['POST', new Error('secret'), 500],
    ['PATCH', thrown(429), 423],
    ['HEAD', thrown(429), 423],
    ['HEAD', thrown(503), 423],
    ['PATCH', new UploadError('DRAINING'), 423],
  ])('answers a %s that failed with %s by %#', (method, error, status) => {
    const reply = faceFailure('tus', error, 'r-1', method)
    expect(reply.status).toBe(status)
    expect(reply.headers).toMatchObject({ 'Tus-Resumable': '1.0.0', 'Cache-Control': 'no-store' })
    expect(reply.headers['Retry-After']).toBe(status === 423 ? '1' : undefined)
    expect(reply.body).not.toContain('secret')
  })
})

test('troubleOf is what the server is to blame for', () => {
  const reply = (error: unknown) => ({ status: 500, headers: {}, body: null, error })
  const internal = new UploadError('INTERNAL')
  expect(troubleOf(reply(internal))).toBe(internal)
  expect(troubleOf(reply(new UploadError('STORAGE_UNAVAILABLE')))).toBeDefined()
  expect(troubleOf(reply({ status_code: 500 }))).toBeDefined()
  expect(troubleOf(reply(new Error('x')))).toBeDefined()
  expect(troubleOf(reply(undefined))).toBeUndefined()
  expect(troubleOf(reply(new UploadError('DRAINING')))).toBeUndefined()
  expect(troubleOf(reply(new UploadError('CHUNKS_MISSING')))).toBeUndefined()
  expect(troubleOf(reply({ status_code: 400 }))).toBeUndefined()
})
