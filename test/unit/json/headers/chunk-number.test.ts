import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseChunkNumber } from '../../../../src/json/headers/chunk-number.ts'

describe('parseChunkNumber', () => {
  test('reads every chunk number back as it is written', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (number) => {
        expect(parseChunkNumber(String(number))).toBe(number)
      }),
    )
  })

  test('refuses every text that is not the decimal form of a safe whole number', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'0123456789+-.exX _,n'.split('')) }),
      fc.double().map(String),
      fc.bigInt({ min: 2n ** 53n }).map(String),
    )
    fc.assert(
      fc.property(texts, (text) => {
        fc.pre(
          text !== '' && !(Number.isSafeInteger(Number(text)) && Number(text) >= 0 && String(Number(text)) === text),
        )
        expect(() => parseChunkNumber(text)).toThrow(expect.objectContaining({ code: 'INVALID_CHUNK_NUMBER' }))
      }),
    )
  })

  test.each([
    '-1',
    '1.5',
    '1e3',
    '0x1',
    ' 1',
    '1 ',
    '01',
    '+1',
    '1, 1',
    '12345678901234567890',
    '9007199254740992',
    '١',
  ])('refuses %j', (text) => {
    expect(() => parseChunkNumber(text)).toThrow(expect.objectContaining({ code: 'INVALID_CHUNK_NUMBER' }))
  })

  test.each([undefined, ''])('names the header when it is missing (%j)', (text) => {
    expect(() => parseChunkNumber(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', details: { field: 'X-Chunk-Number' } }),
    )
  })
})
