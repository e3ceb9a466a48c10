import { describe, expect, test } from 'vitest'
import { wantJson, wantOctets } from '../../../../src/json/headers/content-type.ts'

const unsupported = expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE' })

describe('wantOctets', () => {
  test.each([
    undefined,
    '',
    'application/octet-stream',
    'Application/Octet-Stream',
    'application/octet-stream; charset=binary',
    'application/octet-stream;x="a;b"',
  ])('accepts %j', (type) => {
    expect(() => wantOctets(type === undefined ? {} : { 'content-type': type })).not.toThrow()
  })

  test.each(['text/plain', 'application/json', 'multipart/form-data; boundary=x', 'application/octet-stream2', 'x'])(
    'refuses %j',
    (type) => {
      expect(() => wantOctets({ 'content-type': type })).toThrow(unsupported)
    },
  )
})

describe('wantJson', () => {
  test.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON'])('accepts %j', (type) => {
    expect(() => wantJson({ 'content-type': type })).not.toThrow()
  })

  test.each([undefined, '', 'text/json', 'application/jsonp', 'application/x-www-form-urlencoded'])(
    'refuses %j',
    (type) => {
      expect(() => wantJson(type === undefined ? {} : { 'content-type': type })).toThrow(unsupported)
    },
  )
})

describe('Content-Encoding', () => {
  test.each(['gzip', 'br', 'identity, gzip', 'x'])('refuses %j', (encoding) => {
    const headers = { 'content-encoding': encoding }
    expect(() => wantOctets(headers)).toThrow(unsupported)
    expect(() => wantJson({ ...headers, 'content-type': 'application/json' })).toThrow(unsupported)
  })

  test.each(['identity', 'Identity', ''])('accepts %j', (encoding) => {
    expect(() => wantOctets({ 'content-encoding': encoding })).not.toThrow()
  })
})
