import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Keys } from '../../../../src/storage/s3/keys.ts'
import {
  chainOf,
  isAmbiguous,
  LONGEST_CHAIN,
  parseSegment,
  type Segment,
  segmentAfter,
} from '../../../../src/storage/s3/segments.ts'
import { sha256 } from '../../../support/storage-suite.ts'

const KEYS = new Keys('p/')

/** The segment that carries `bytes` on from the end of `chain` to `to`, as a listing tells it. */
function next(chain: readonly Segment[], bytes: Buffer, to: number, number = 0): Segment {
  const size = chain.at(-1)?.to ?? 0
  const before = size === 0 ? null : { size, sha256: sha256(bytes.subarray(0, size)) }
  const made = segmentAfter(KEYS, 'x', { number, chain, before, to })
  expect(parseSegment(made.key, made.to - made.from)).toEqual(made)
  return made
}

/** Segments that end where they are told to. */
function chainTo(bytes: Buffer, ...ends: readonly number[]): Segment[] {
  const chain: Segment[] = []
  for (const to of ends) chain.push(next(chain, bytes, to))
  return chain
}

const endsOf = (chain: readonly Segment[]) => chain.map(({ to }) => to)

describe('segments', () => {
  const mine = Buffer.alloc(2000, 'the same beginning, then mine')
  const others = Buffer.alloc(2000, 'the same beginning, then another end')

  it('are told by their names', () => {
    const [, second] = chainTo(mine, 5, 9)
    expect(second).toMatchObject({ number: 0, index: 1, after: 5, from: 5, to: 9, before: sha256(mine.subarray(0, 5)) })
    expect(next([], mine, 7, 3)).toMatchObject({ number: 3, index: 0, before: null, from: 0, to: 7 })
    const names = ['manifest', '1-2-3', `1-0-5-${'a'.repeat(63)}`, `0-0-5-${'a'.repeat(64)}-first-x`]
    for (const name of names) expect(parseSegment(`p/uploads/x/tail/${name}`, 1)).toBeNull()
  })

  it('have one place for all who go on from the same bytes, however far', () => {
    const chain = chainTo(mine, 5)
    expect(next(chain, mine, 9).key).toBe(next(chain, mine, 700).key)
    expect(next([], mine, 9).key).toBe(next([], others, 300).key)
    expect(next(chain, mine, 9).key).not.toBe(next(chainTo(others, 5), Buffer.alloc(9, 'other'), 9).key)
    expect(next(chain, mine, 9).key).not.toBe(next([], mine, 9, 1).key)
  })

  it('make a tail where they follow one another without a gap', () => {
    const [first, second, third] = chainTo(mine, 5, 9, 12) as [Segment, Segment, Segment]
    expect(chainOf([third, first, second], 0)).toEqual([first, second, third])
    expect(chainOf([first, third], 0)).toEqual([first])
    expect(chainOf([second, third], 0)).toEqual([])
    expect(chainOf([first], 1)).toEqual([])
  })

  it('follow just the bytes that the one before them ends with', () => {
    const [first, second] = chainTo(mine, 30, 40) as [Segment, Segment]
    const [, wrong] = chainTo(others, 30, 50) as [Segment, Segment]
    expect(isAmbiguous([first, second], 0)).toBe(false)
    expect(isAmbiguous([wrong, first, second], 0)).toBe(true)
    const end = ({ key }: Segment) => (key === first.key ? sha256(mine.subarray(0, 30)) : '')
    expect(chainOf([wrong, first, second], 0, end)).toEqual([first, second])
    expect(chainOf([wrong, first], 0, end)).toEqual([first])
  })

  it('hold all bytes once in a while; what is left over from before is not gone on from', () => {
    const ends = Array.from({ length: LONGEST_CHAIN + 3 }, (_, n) => (n + 1) * 10)
    const chain = chainTo(mine, ...ends)
    const whole = chain[LONGEST_CHAIN]
    expect(whole).toMatchObject({ from: 0, to: (LONGEST_CHAIN + 1) * 10, after: LONGEST_CHAIN * 10 })
    expect(endsOf(chainOf(chain, 0))).toEqual(ends.slice(LONGEST_CHAIN))
    // Those before it were deleted; who still believes in them writes in a place that has become free.
    const late = [next([], others, 1900), next(chain.slice(0, 5), mine, 1950)]
    expect(endsOf(chainOf([...late, ...chain.slice(LONGEST_CHAIN)], 0))).toEqual(ends.slice(LONGEST_CHAIN))
  })

  it('whatever was cut and lost, make the stretch that is whole from the start', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 1999 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(cuts, fc.nat(8), (unsorted, lost) => {
        const ends = unsorted.toSorted((a, b) => a - b)
        const left = chainTo(mine, ...ends).filter((_, index) => index !== lost)
        const whole = ends[lost] === undefined ? ends : ends.slice(0, lost)
        expect(endsOf(chainOf(left.toReversed(), 0))).toEqual(whole)
      }),
    )
  })
})
