import { expect, test } from 'vitest'
import { parseContentLength } from '../../../../src/json/headers/content-length.ts'

test('reads the length where one is said, and Transfer-Encoding overrides it', () => {
  expect(parseContentLength({ 'content-length': '5' })).toBe(5)
  expect(parseContentLength({ 'content-length': '0' })).toBe(0)
  expect(parseContentLength({})).toBeNull()
  expect(parseContentLength({ 'content-length': '5', 'transfer-encoding': 'chunked' })).toBeNull()
})
