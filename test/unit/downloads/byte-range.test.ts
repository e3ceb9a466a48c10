import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRange } from '../../../src/downloads/byte-range.ts'

describe('Range', () => {
  it.each([
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=0-9', { start: 0, end: 10 }],
    ['bytes=3-', { start: 3, end: 10 }],
    ['bytes=9-9', { start: 9, end: 10 }],
    ['bytes=-1', { start: 9, end: 10 }],
    ['bytes=-10', { start: 0, end: 10 }],
    ['bytes=-99', { start: 0, end: 10 }],
    ['bytes=4-99999999999999999999999999', { start: 4, end: 10 }],
    [`bytes=0-${'9'.repeat(400)}`, { start: 0, end: 10 }],
    ['BYTES=1-2', { start: 1, end: 3 }],
    ['bytes= 1-2 ', { start: 1, end: 3 }],
    ['bytes=,1-2,', { start: 1, end: 3 }],
  ])('%s of 10 bytes is %j', (header, range) => {
    expect(parseRange(header, 10)).toEqual(range)
  })

  it.each(['bytes=10-', 'bytes=10-20', 'bytes=-0', 'bytes=99999999999999999999-'])(
    '%s lies outside of 10 bytes',
    (header) => {
      expect(parseRange(header, 10)).toBe('unsatisfiable')
    },
  )

  it.each([
    ['several ranges', 'bytes=0-1,4-5'],
    ['several ranges that lie outside', 'bytes=20-,30-'],
    ['another unit', 'chunks=0-1'],
    ['no unit', '0-1'],
    ['no range', 'bytes='],
    ['nothing but a dash', 'bytes=-'],
    ['an end before its start', 'bytes=5-4'],
    ['a sign', 'bytes=+1-2'],
    ['a space within', 'bytes=1 - 2'],
    ['a fraction', 'bytes=1.0-2'],
    ['a negative end', 'bytes=1--2'],
    ['letters', 'bytes=a-b'],
    ['other digits', 'bytes=١-٢'],
    ['nothing', ''],
  ])('asks for the whole file with %s', (_what, header) => {
    expect(parseRange(header, 10)).toBeNull()
  })

  it('of an empty file is all of it from the start, and outside of it elsewhere', () => {
    for (const header of ['bytes=0-', 'bytes=0-9', 'bytes=-5']) expect(parseRange(header, 0)).toBeNull()
    for (const header of ['bytes=1-', 'bytes=-0']) expect(parseRange(header, 0)).toBe('unsatisfiable')
  })

  it('is what an array would slice, whatever the numbers', () => {
    const number = fc.nat(40)
    fc.assert(
      fc.property(number, number, number, (size, first, last) => {
        const file = Array.from({ length: size }, (_, at) => at)
        const range = parseRange(`bytes=${first}-${last}`, size)
        const wanted = file.slice(first, last + 1)
        if (first > last || (first === 0 && size === 0)) expect(range).toBeNull()
        else if (wanted.length === 0) expect(range).toBe('unsatisfiable')
        else expect(range).toEqual({ start: wanted[0], end: (wanted.at(-1) ?? 0) + 1 })
      }),
    )
  })

  it('never leaves the file, whatever is sent', () => {
    const piece = fc.constantFrom('bytes', '=', '-', ',', '0', '1', '9', '99', ' ', '\t', 'x', '"')
    const header = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => `bytes=${pieces.join('')}`),
    )
    fc.assert(
      fc.property(header, fc.nat(200), (text, size) => {
        const range = parseRange(text, size)
        if (range === null || range === 'unsatisfiable') return
        expect(range.start).toBeGreaterThanOrEqual(0)
        expect(range.end).toBeGreaterThan(range.start)
        expect(range.end).toBeLessThanOrEqual(size)
      }),
    )
  })
})
