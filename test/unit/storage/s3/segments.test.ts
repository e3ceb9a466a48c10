import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chainOf, longestTail, parseSegment, type Segment } from '../../../../src/storage/s3/segments.ts'
import { sha256 } from '../../../support/storage-suite.ts'

const OWNERS = ['00000000-0000-4000-8000-000000000000', '00000000-0000-4000-8000-000000000001']

/** The segment that carries `bytes` on from `before` to `to`. */
function aSegment(number: number, bytes: Buffer, from: number, to: number, owner = 0): Segment {
  const before = from === 0 ? 'first' : sha256(bytes.subarray(0, from))
  const name = [number, from, to - from, sha256(bytes.subarray(0, to)), before, OWNERS[owner]].join('-')
  const segment = parseSegment(`p/uploads/x/tail/${name}`)
  if (segment === null) throw new Error(`${name} is no name of a segment.`)
  return segment
}

const tailOf = (number: number, bytes: Buffer, size: number) => ({
  number,
  size,
  sha256: sha256(bytes.subarray(0, size)),
})

describe('segments', () => {
  const mine = Buffer.from('the same beginning, then mine')
  const others = Buffer.from('the same beginning, then another end')

  it('are told by their names', () => {
    expect(aSegment(3, mine, 5, 9)).toMatchObject({
      number: 3,
      from: 5,
      to: 9,
      sha256: sha256(mine.subarray(0, 9)),
      before: sha256(mine.subarray(0, 5)),
    })
    for (const name of ['manifest', '1-2-3', `1-0-5-${'a'.repeat(63)}-first-${OWNERS[0]}`]) {
      expect(parseSegment(`p/uploads/x/tail/${name}`)).toBeNull()
    }
  })

  it('make a tail where they follow one another without a gap', () => {
    const segments = [aSegment(0, mine, 9, 12), aSegment(0, mine, 0, 5), aSegment(0, mine, 5, 9)]
    expect(chainOf(segments, tailOf(0, mine, 12))?.map(({ from }) => from)).toEqual([0, 5, 9])
    expect(longestTail(segments, 0)).toEqual(tailOf(0, mine, 12))
    expect(longestTail(segments.slice(0, 2), 0)).toEqual(tailOf(0, mine, 5))
    expect(longestTail(segments.slice(0, 1), 0)).toBeNull()
    expect(longestTail(segments, 1)).toBeNull()
  })

  it('of two writers are not taken for one', () => {
    const segments = [
      aSegment(0, mine, 0, 5),
      aSegment(0, mine, 5, 27),
      aSegment(0, others, 0, 5, 1),
      aSegment(0, others, 5, 26, 1),
      aSegment(0, others, 26, 30, 1),
    ]
    const longest = longestTail(segments, 0)
    expect(longest).toEqual(tailOf(0, others, 30))
    expect(chainOf(segments, tailOf(0, mine, 27))?.map(({ to }) => to)).toEqual([5, 27])
    expect(chainOf(segments, tailOf(0, mine, 26))).toBeNull()
  })

  it('of two writers that meet in their length are told apart by what came before', () => {
    const segments = [aSegment(0, mine, 0, 27), aSegment(0, others, 0, 27, 1), aSegment(0, others, 27, 30, 1)]
    const chain = chainOf(segments, tailOf(0, others, 30))
    expect(chain?.map(({ sha256 }) => sha256)).toEqual([27, 30].map((size) => tailOf(0, others, size).sha256))
    expect(
      longestTail(
        [segments[0], segments[2]].filter((one) => one !== undefined),
        0,
      ),
    ).toEqual(tailOf(0, mine, 27))
  })

  it('make a tail by any way that is whole', () => {
    // The first of a chain has been deleted already; what took its place says the same.
    const segments = [aSegment(0, mine, 5, 9), aSegment(0, mine, 0, 9, 1), aSegment(0, mine, 9, 12)]
    expect(chainOf(segments, tailOf(0, mine, 12))?.map(({ from }) => from)).toEqual([0, 9])
  })

  it('whatever was cut and lost, make the longest stretch that is whole', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 29 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(cuts, fc.nat(8), (unsorted, lost) => {
        const ends = unsorted.toSorted((a, b) => a - b)
        const all = ends.map((to, index) => aSegment(0, mine, ends[index - 1] ?? 0, to))
        const left = all.filter((_, index) => index !== lost)
        const whole = ends[lost] === undefined ? ends.at(-1) : ends[lost - 1]
        expect(longestTail(left, 0)?.size).toBe(whole)
      }),
    )
  })
})
