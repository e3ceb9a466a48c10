import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeJournal,
  encodeLines,
  type JournalHeader,
  type StoredChange,
} from '../../../../src/storage/file/journal-format.ts'

const header: JournalHeader = { v: 1, id: 'an id', boot: 'a boot' }

const tail = fc.record({ number: fc.nat(), size: fc.nat(), sha256: fc.string({ unit: 'binary' }) })
const change: fc.Arbitrary<StoredChange> = fc.oneof(
  fc.record({ type: fc.constant('tail' as const), tail }),
  fc.record({
    type: fc.constant('chunk' as const),
    entry: fc.record(
      { number: fc.nat(), size: fc.nat(), sha256: fc.string(), at: fc.nat(), etag: fc.string({ unit: 'grapheme' }) },
      { requiredKeys: ['number', 'size', 'sha256', 'at'] },
    ),
  }),
  fc.record({ type: fc.constant('length' as const), size: fc.maxSafeNat(), at: fc.nat() }),
  fc.record({ type: fc.constant('completing' as const) }),
  fc.record(
    {
      type: fc.constant('ended' as const),
      status: fc.constantFrom('uploaded' as const, 'cancelled' as const, 'expired' as const, 'failed' as const),
      at: fc.nat(),
      ofFile: fc.constant(true as const),
    },
    { requiredKeys: ['type', 'status', 'at'] },
  ),
  fc.record({ type: fc.constant('digest' as const), sha256: fc.string() }),
)
const changes = fc.array(change, { minLength: 2, maxLength: 5 })

describe('a journal', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(changes, (lines) => {
        const bytes = encodeLines([header, ...lines])
        const read = decodeJournal(bytes)
        expect(read).toEqual({ header, changes: JSON.parse(JSON.stringify(lines)), end: bytes.length })
      }),
    )
  })

  it('keeps exactly its whole lines when it is cut at any byte of the last two', () => {
    fc.assert(
      fc.property(changes, (lines) => {
        const whole = encodeLines([header, ...lines])
        const ends = lineEnds(lines)
        for (let cut = ends.at(-3) ?? 0; cut < whole.length; cut += 1) {
          const { end, changes: kept } = decodeJournal(whole.subarray(0, cut))
          expect(end).toBe(ends.findLast((lineEnd) => lineEnd <= cut))
          expect(kept).toHaveLength(ends.indexOf(end))
        }
      }),
      { numRuns: 30 },
    )
  })

  it('keeps exactly the lines before one of which a byte has changed', () => {
    fc.assert(
      fc.property(changes, fc.integer({ min: 1, max: 255 }), (lines, flip) => {
        const ends = lineEnds(lines)
        const from = ends.at(-3) ?? 0
        const middle = ends.at(-2) ?? 0
        const whole = encodeLines([header, ...lines])
        for (let at = from; at < whole.length; at += 1) {
          const flipped = Buffer.from(whole)
          flipped[at] = (whole[at] ?? 0) ^ flip
          expect(decodeJournal(flipped).end).toBe(at < middle ? from : middle)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('keeps the first line also where nothing follows, and nothing where that is torn', () => {
    const first = encodeLines([header])
    expect(decodeJournal(first)).toEqual({ header, changes: [], end: first.length })
    for (const bytes of [first.subarray(0, -1), Buffer.alloc(0), Buffer.alloc(500), Buffer.from('x'.repeat(99))]) {
      expect(decodeJournal(bytes)).toEqual({ header: null, changes: [], end: 0 })
    }
  })

  it('ends where a line is whole and no JSON', () => {
    const bytes = Buffer.concat([encodeLines([header]), Buffer.from('00000001 8cdc1683 {\n')])
    expect(decodeJournal(bytes).end).toBe(encodeLines([header]).length)
  })

  it('is refused when a newer version wrote it', () => {
    const line = (value: object) => {
      const known: JournalHeader & object = Object.assign({ ...header }, value)
      return encodeLines([known])
    }
    expect(() => decodeJournal(line({ v: 2 }))).toThrow(/has version 2, and this Holdfast knows version 1: run /)
    expect(() => decodeJournal(Buffer.concat([encodeLines([header]), line({ type: 'merged' })]))).toThrow(
      /does not know/,
    )
    expect(() => decodeJournal(Buffer.concat([encodeLines([header]), line({ type: 'chunk' })]))).toThrow(
      /does not know/,
    )
  })
})

/** Where each line ends, the header's first. */
function lineEnds(lines: readonly StoredChange[]): number[] {
  const ends = [encodeLines([header]).length]
  for (const line of lines) ends.push((ends.at(-1) ?? 0) + encodeLines([line]).length)
  return ends
}
