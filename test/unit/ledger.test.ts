import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chunkCount, chunkLength, chunkStart, type Grid } from '../../src/grid.ts'
import { type ChunkEntry, Ledger, type Tail } from '../../src/ledger.ts'

const grid: Grid = { chunkSize: 10, size: 95 }
const entry = (number: number, sha256 = `sha-${number}`): ChunkEntry => ({
  number,
  size: chunkLength(grid, number),
  sha256,
  at: number,
})
const tail = (number: number, size: number): Tail => ({ number, size, sha256: `tail-${number}-${size}` })

type Step = { chunk: number } | { tail: number; size: number }
const steps = fc.array(
  fc.oneof(fc.record({ chunk: fc.nat(9) }), fc.record({ tail: fc.nat(9), size: fc.integer({ min: 1, max: 9 }) })),
  { maxLength: 40 },
)
function play(ledger: Ledger, step: Step): void {
  if ('chunk' in step) ledger.add(entry(step.chunk))
  else ledger.setTail(tail(step.tail, step.size))
}
const knowledge = (ledger: Ledger): unknown => ({
  chunks: [...ledger.chunks.values()].toSorted((a, b) => a.number - b.number),
  tail: ledger.tail,
})

describe('the ledger', () => {
  it('never lets offset, extent, durable bytes or chunk set go back, in whatever order records come', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const ledger = new Ledger()
        for (const step of sequence) {
          const before = { ...measure(ledger), chunks: [...ledger.chunks.keys()] }
          play(ledger, step)
          const after = measure(ledger)
          expect(after.offset).toBeGreaterThanOrEqual(before.offset)
          expect(after.extent).toBeGreaterThanOrEqual(before.extent)
          expect(after.bytes).toBeGreaterThanOrEqual(before.bytes)
          for (const number of before.chunks) expect(ledger.chunks.has(number)).toBe(true)
        }
      }),
    )
    function measure(ledger: Ledger) {
      return { offset: ledger.offset(grid), extent: ledger.extent(grid), bytes: ledger.durableBytes }
    }
  })

  it('puts the offset at the end of the unbroken run plus the tail, never over a gap', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const ledger = new Ledger()
        for (const step of sequence) play(ledger, step)
        let run = 0
        while (ledger.chunks.has(run)) run += 1
        const runEnd = run >= 10 ? 95 : chunkStart(grid, run)
        expect(ledger.run).toBe(run)
        expect(ledger.offset(grid)).toBe(runEnd + (ledger.tail?.size ?? 0))
        if (ledger.tail !== null) expect(ledger.tail.number).toBe(run)
      }),
    )
  })

  it('lists as missing exactly the chunks that are not there', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(9)), (numbers) => {
        const ledger = Ledger.of(numbers.map((n) => entry(n)))
        const missing = ledger
          .missing(grid)
          .flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
        const count = chunkCount(grid) ?? 0
        const expected = Array.from({ length: count }, (_, n) => n).filter((n) => !numbers.includes(n))
        expect(missing).toEqual(expected)
        expect(ledger.isFull(grid)).toBe(expected.length === 0)
      }),
    )
  })

  it('merges to the same knowledge whichever side is merged into which, where both tell of the same bytes', () => {
    fc.assert(
      fc.property(steps, steps, (one, other) => {
        const a = new Ledger()
        const b = new Ledger()
        for (const step of one) play(a, step)
        for (const step of other) play(b, step)
        const ab = a.merge(b)
        expect(ab.offset(grid)).toBe(b.merge(a).offset(grid))
        expect(ab.offset(grid)).toBeGreaterThanOrEqual(Math.max(a.offset(grid), b.offset(grid)))
        expect(new Set(ab.chunks.keys())).toEqual(new Set(b.merge(a).chunks.keys()))
        expect(knowledge(ab.merge(b))).toEqual(knowledge(ab))
      }),
    )
  })

  it('keeps the first entry of a chunk, and leaves the sides of a merge alone', () => {
    const ledger = Ledger.of([entry(0, 'first')])
    expect(ledger.add(entry(0, 'second')).sha256).toBe('first')
    const other = Ledger.of([entry(0, 'second'), entry(1)])
    expect(ledger.merge(other).chunks.get(0)?.sha256).toBe('first')
    expect(ledger.chunks.size).toBe(1)
  })

  it('takes a tail only in the first missing chunk, and replaces it only by a longer one', () => {
    const ledger = Ledger.of([entry(0)])
    expect(ledger.setTail(tail(2, 3))).toBe(false)
    expect(ledger.setTail(tail(1, 4))).toBe(true)
    expect(ledger.setTail(tail(1, 3))).toBe(false)
    expect(ledger.offset(grid)).toBe(14)
    ledger.add(entry(1))
    expect(ledger.tail).toBeNull()
    expect(ledger.offset(grid)).toBe(20)
  })

  it('counts all durable bytes for progress, also those beyond a gap', () => {
    const ledger = Ledger.of([entry(0), entry(9)], tail(1, 4))
    expect(ledger.durableBytes).toBe(10 + 5 + 4)
    expect(ledger.extent(grid)).toBe(95)
    expect(ledger.offset(grid)).toBe(14)
  })

  it('makes the tail the last chunk when the length is declared to end with it, and only then', () => {
    const ledger = Ledger.of([entry(0)], tail(1, 4))
    expect(ledger.tailAsChunk({ chunkSize: 10, size: null }, 7)).toBeNull()
    expect(ledger.tailAsChunk({ chunkSize: 10, size: 15 }, 7)).toBeNull()
    expect(ledger.tailAsChunk({ chunkSize: 10, size: 14 }, 7)).toEqual({
      number: 1,
      size: 4,
      sha256: 'tail-1-4',
      at: 7,
    })
  })

  it('is never full while the length is deferred, and full at once for a file of 0 bytes', () => {
    expect(Ledger.of([entry(0)]).isFull({ chunkSize: 10, size: null })).toBe(false)
    expect(new Ledger().isFull({ chunkSize: 10, size: 0 })).toBe(true)
  })
})
