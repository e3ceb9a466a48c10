import { describe, expect, it } from 'vitest'
import {
  contentLength,
  effectiveMethod,
  hasBody,
  headersForTus,
  isPlainCreation,
  isOffsetOctetStream,
  OFFSET_OCTET_STREAM,
  refuseVersion,
  wholeNumber,
} from '../../../src/tus/request-headers.ts'

const TYPE = { 'content-type': OFFSET_OCTET_STREAM }

describe('the method of a request', () => {
  it.each([
    ['PATCH', {}, 'PATCH'],
    ['POST', { 'x-http-method-override': 'PATCH' }, 'PATCH'],
    ['POST', { 'x-http-method-override': 'delete' }, 'DELETE'],
    ['POST', { 'x-http-method-override': '' }, 'POST'],
    ['post', {}, 'POST'],
  ])('of %s with the headers %j is %s', (method, headers, effective) => {
    expect(effectiveMethod(method, headers)).toBe(effective)
  })
})

describe('a whole number in a header', () => {
  it.each([
    ['0', 0],
    ['5', 5],
    ['007', 7],
    ['9007199254740991', 2 ** 53 - 1],
  ])('may be %s', (value, number) => {
    expect(wholeNumber({ 'upload-offset': value }, 'Upload-Offset')).toBe(number)
  })

  it.each([
    [''],
    [' '],
    ['-1'],
    ['+1'],
    ['1.0'],
    ['1e3'],
    ['0x10'],
    ['5, 5'],
    ['1_000'],
    ['٣'],
    ['NaN'],
    ['9007199254740992'],
    ['1'.repeat(400)],
  ])('is not %j', (value) => {
    expect(() => wholeNumber({ 'upload-offset': value }, 'Upload-Offset')).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', details: { field: 'Upload-Offset' } }),
    )
  })

  it('is not a list', () => {
    expect(() => wholeNumber({ 'upload-offset': ['1', '1'] }, 'Upload-Offset')).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    )
  })

  it('may be absent', () => {
    expect(wholeNumber({}, 'Upload-Offset')).toBeUndefined()
  })
})

describe('the body of a request', () => {
  it.each([
    [{}, false],
    [{ 'content-length': '0' }, false],
    [{ 'content-length': '1' }, true],
    [{ 'transfer-encoding': 'chunked' }, true],
    [TYPE, false],
  ])('with the headers %j is there: %s', (headers, there) => {
    expect(hasBody(headers)).toBe(there)
  })

  it('has the length it says, or an unknown one', () => {
    expect(contentLength({ 'content-length': '12' })).toBe(12)
    expect(contentLength({ 'content-length': '0' })).toBe(0)
    expect(contentLength({})).toBeNull()
    expect(() => contentLength({ 'content-length': '1a' })).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    )
  })

  it.each([
    [OFFSET_OCTET_STREAM, true],
    ['Application/Offset+Octet-Stream', true],
    [` ${OFFSET_OCTET_STREAM} ; charset=utf-8`, true],
    ['application/octet-stream', false],
    [`${OFFSET_OCTET_STREAM}s`, false],
    [`text/plain; a=${OFFSET_OCTET_STREAM}`, false],
    ['', false],
  ])('of the type %j may be appended: %s', (type, may) => {
    expect(isOffsetOctetStream({ 'content-type': type })).toBe(may)
    expect(isOffsetOctetStream({})).toBe(false)
  })
})

describe('the version of the protocol', () => {
  const MISMATCH = expect.objectContaining({ code: 'TUS_VERSION_MISMATCH' })

  it.each(['POST', 'HEAD', 'PATCH', 'DELETE'])('is wanted of a %s', (method) => {
    expect(() => refuseVersion(method, {})).toThrow(MISMATCH)
    expect(() => refuseVersion(method, { 'tus-resumable': '0.2.2' })).toThrow(MISMATCH)
    expect(() => refuseVersion(method, { 'tus-resumable': '1.0.0, 1.0.0' })).toThrow(MISMATCH)
    expect(() => refuseVersion(method, { 'tus-resumable': '1.0.0' })).not.toThrow()
  })

  it('is not wanted of OPTIONS, which asks for it', () => {
    expect(() => refuseVersion('OPTIONS', {})).not.toThrow()
    expect(() => refuseVersion('OPTIONS', { 'tus-resumable': '0.2.2' })).not.toThrow()
  })
})

describe('the headers that @tus/server is given', () => {
  const all = {
    ...TYPE,
    'content-length': '5',
    'tus-resumable': '1.0.0',
    'upload-defer-length': '1',
    'upload-length': '10',
    'upload-offset': '0',
  }

  it('are those of the protocol, as they came', () => {
    expect(Object.fromEntries(headersForTus('PATCH', all))).toEqual({ ...all, 'upload-length': undefined })
    const { 'content-type': _, ...ofCreation } = all
    expect(Object.fromEntries(headersForTus('POST', all))).toEqual(ofCreation)
  })

  it('say nothing of the body of a creation, which would go through streams of @tus/server and come out empty', () => {
    expect(headersForTus('POST', all).has('content-type')).toBe(false)
    expect(headersForTus('PATCH', all).get('content-type')).toBe(OFFSET_OCTET_STREAM)
  })

  it('leave out the length that a PATCH declares, which the core takes', () => {
    expect(headersForTus('PATCH', all).has('upload-length')).toBe(false)
    expect(headersForTus('PATCH', all).get('upload-offset')).toBe('0')
  })

  it('hold nothing of who asks and of the way the request came', () => {
    const passed = headersForTus('PATCH', {
      ...all,
      authorization: 'Bearer secret',
      cookie: 'a=b',
      host: 'evil.example',
      origin: 'https://evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https,http',
      'x-http-method-override': 'DELETE',
      'transfer-encoding': 'chunked',
      'upload-checksum': 'sha1 AA==',
    })
    expect(Object.fromEntries(passed)).toEqual({ ...all, 'upload-length': undefined })
  })

  it('have the media type without its parameters, and none that @tus/server would misread', () => {
    expect(headersForTus('PATCH', { 'content-type': `${OFFSET_OCTET_STREAM}; a=b` }).get('content-type')).toBe(
      OFFSET_OCTET_STREAM,
    )
    expect(headersForTus('DELETE', { 'content-type': 'text/plain' }).has('content-type')).toBe(false)
  })
})

describe('a creation', () => {
  it.each([
    [{ 'upload-length': '0' }, null, true],
    [{ 'upload-length': '9007199254740991', 'upload-concat': 'partial' }, null, true],
    [{ 'upload-length': '10', ...TYPE, 'content-length': '10' }, 10, true],
    [{ 'upload-length': '11' }, 10, false],
    [{ 'upload-length': '010' }, null, false],
    [{ 'upload-length': '1e1' }, null, false],
    [{ 'upload-length': '' }, null, false],
    [{ 'upload-length': '10', 'upload-defer-length': '1' }, null, false],
    [{ 'upload-defer-length': '1' }, null, false],
    [{ 'upload-length': '10', 'upload-offset': '0' }, null, false],
    [{}, null, false],
  ])('with the headers %j where files have at most %j bytes is plain: %s', (headers, most, plain) => {
    expect(isPlainCreation(headers, most)).toBe(plain)
  })
})
