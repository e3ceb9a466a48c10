import { expect, test } from 'vitest'
import { matchesType, parseTypePattern } from '../../src/media-types.ts'

test.each([
  ['image/png', 'image/png'],
  [' Image/* ', 'image/*'],
  ['*/*', '*/*'],
  ['application/vnd.ms-excel', 'application/vnd.ms-excel'],
])('%j is the pattern %s', (text, pattern) => {
  expect(parseTypePattern(text)).toBe(pattern)
})

test.each(['', '*', 'image', 'image/', '/png', '*/png', 'image/p*', 'image/png; q=1', 'a/b/c'])(
  '%j is no pattern',
  (text) => {
    expect(parseTypePattern(text)).toBeNull()
  },
)

test('a type matches itself, its wildcard and the wildcard of all, whatever its case and parameters', () => {
  for (const type of ['image/png', 'IMAGE/PNG', 'image/png; x="y"']) {
    for (const pattern of ['image/png', 'image/*', '*/*']) expect(matchesType([pattern], type)).toBe(true)
    for (const pattern of ['image/jpeg', 'imag/*', 'application/*']) expect(matchesType([pattern], type)).toBe(false)
  }
})
