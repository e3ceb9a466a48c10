import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatHttpDate, parseHttpDate } from '../../../src/downloads/http-date.ts'

const NOV_6 = Date.UTC(1994, 10, 6, 8, 49, 37)
const in2026 = (): number => Date.UTC(2026, 0, 1)

describe('an HTTP-date', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'is read in the form %s',
    (text) => {
      expect(parseHttpDate(text, in2026)).toBe(NOV_6)
    },
  )

  it.each([
    ['76', 2076],
    ['77', 1977],
    ['00', 2000],
  ])('of the two digits %s is of the year %i in 2026', (digits, year) => {
    expect(parseHttpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, in2026)).toBe(Date.UTC(year, 10, 6, 8, 49, 37))
  })

  it('may have a leap second, and a 29th of February in a leap year', () => {
    expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT')).toBe(Date.UTC(2017, 0, 1))
    expect(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT')).toBe(Date.UTC(2024, 1, 29))
  })

  it.each([
    '',
    '0',
    '2020',
    '1994-11-06T08:49:37Z',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 CET',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 31 Feb 2024 08:49:37 GMT',
    'Wed, 29 Feb 2023 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    '"etag"',
  ])('is not %j', (text) => {
    expect(parseHttpDate(text)).toBeNull()
  })

  it('is read as it is written, to the second', () => {
    fc.assert(
      fc.property(fc.nat(253_402_300_799), (seconds) => {
        expect(parseHttpDate(formatHttpDate(seconds * 1000 + 999))).toBe(seconds * 1000)
      }),
    )
  })
})
