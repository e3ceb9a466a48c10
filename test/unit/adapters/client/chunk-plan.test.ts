import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesIn, chunkBounds, chunksIn, countIn, otherRanges } from '../../../../adapters/client/chunk-plan.ts'

describe('the plan of chunks', () => {
  it('knows where a chunk lies', () => {
    expect(chunkBounds(0, 10, 25)).toEqual({ start: 0, end: 10 })
    expect(chunkBounds(2, 10, 25)).toEqual({ start: 20, end: 25 })
  })

  it('holds of every file: what is missing and what is there are all of it, and nothing twice', () => {
    const file = fc.record({
      chunkSize: fc.integer({ min: 1, max: 50 }),
      size: fc.integer({ min: 0, max: 2000 }),
      seed: fc.array(fc.boolean(), { minLength: 2000, maxLength: 2000 }),
    })
    fc.assert(
      fc.property(file, ({ chunkSize, size, seed }) => {
        const total = Math.ceil(size / chunkSize)
        const missing: [number, number][] = []
        for (let n = 0; n < total; n += 1) {
          const last = missing.at(-1)
          if (seed[n] === false) continue
          if (last !== undefined && last[1] === n - 1) last[1] = n
          else missing.push([n, n])
        }
        const present = otherRanges(missing, total)
        const all = [...chunksIn(missing), ...chunksIn(present)].toSorted((a, b) => a - b)
        expect(all).toEqual(Array.from({ length: total }, (_, n) => n))
        expect(countIn(missing) + countIn(present)).toBe(total)
        expect(bytesIn(missing, chunkSize, size) + bytesIn(present, chunkSize, size)).toBe(size)
      }),
    )
  })
})
