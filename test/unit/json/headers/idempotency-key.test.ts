import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseIdempotencyKey } from '../../../../src/json/headers/idempotency-key.ts'

const visible = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code))

describe('parseIdempotencyKey', () => {
  test('takes visible ASCII as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: visible, minLength: 1, maxLength: 255 }), (key) => {
        expect(parseIdempotencyKey(key)).toBe(key)
      }),
    )
  })

  test('has no key without the header', () => {
    expect(parseIdempotencyKey(undefined)).toBeUndefined()
  })

  test.each(['', ' ', 'a b', 'é', 'a\tb', 'a'.repeat(256)])('refuses %j', (key) => {
    expect(() => parseIdempotencyKey(key)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', details: { field: 'Idempotency-Key' } }),
    )
  })
})
