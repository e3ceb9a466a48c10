import { describe, expect, it } from 'vitest'
import { allowsRange, evaluateConditions } from '../../../src/downloads/conditions.ts'

const AT = 'Thu, 01 Jan 2026 12:00:00 GMT'
const BEFORE = 'Thu, 01 Jan 2026 11:59:59 GMT'
const AFTER = 'Thu, 01 Jan 2026 12:00:01 GMT'
const file = { etag: '"a"', lastModified: Date.UTC(2026, 0, 1, 12) }

describe('the conditions of a request', () => {
  it.each([
    [{}],
    [{ 'if-none-match': '"b"' }],
    [{ 'if-none-match': '' }],
    [{ 'if-modified-since': BEFORE }],
    [{ 'if-modified-since': 'yesterday' }],
    [{ 'if-match': '"a"' }],
    [{ 'if-match': '*' }],
    [{ 'if-unmodified-since': AT }],
    [{ 'if-unmodified-since': AFTER }],
    [{ 'if-unmodified-since': 'yesterday' }],
    // The tag has the word, not the date.
    [{ 'if-none-match': '"b"', 'if-modified-since': AFTER }],
    [{ 'if-match': '"a"', 'if-unmodified-since': BEFORE }],
  ])('let %j pass', (headers) => {
    expect(evaluateConditions(headers, file)).toBe('proceed')
  })

  it.each([
    [{ 'if-none-match': '"a"' }],
    [{ 'if-none-match': 'W/"a"' }],
    [{ 'if-none-match': '*' }],
    [{ 'if-none-match': '"a"', 'if-modified-since': BEFORE }],
    [{ 'if-modified-since': AT }],
    [{ 'if-modified-since': AFTER }],
    [{ 'if-match': '"a"', 'if-none-match': '"a"' }],
  ])('find nothing modified for %j', (headers) => {
    expect(evaluateConditions(headers, file)).toBe('not-modified')
  })

  it.each([
    [{ 'if-match': '"b"' }],
    [{ 'if-match': 'W/"a"' }],
    [{ 'if-match': 'a' }],
    [{ 'if-unmodified-since': BEFORE }],
    // What fails comes before what is not modified.
    [{ 'if-match': '"b"', 'if-none-match': '"a"' }],
  ])('fail for %j', (headers) => {
    expect(evaluateConditions(headers, file)).toBe('failed')
  })
})

describe('If-Range', () => {
  it.each([undefined, '"a"', ' "a" ', AT])('lets a range count when it is %j', (value) => {
    expect(allowsRange(value, file)).toBe(true)
  })

  it.each(['"b"', 'W/"a"', '*', '"a", "b"', BEFORE, AFTER, '', 'a', ['"a"', '"a"']])(
    'asks for the whole file when it is %j',
    (value) => {
      expect(allowsRange(value, file)).toBe(false)
    },
  )
})
