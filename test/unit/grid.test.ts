import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseChunkSize, chunkAt, chunkCount, chunkLength, chunkStart, isChunkNumber, MIB } from '../../src/grid.ts'

const LIMITS = { minChunkSize: 1, maxChunkSize: Number.MAX_SAFE_INTEGER, maxChunks: 10_000 }
const grids = fc.record({ chunkSize: fc.integer({ min: 1, max: 50 }), size: fc.integer({ min: 0, max: 2000 }) })

describe('the grid', () => {
  it('cuts a file into chunks that cover every byte once', () => {
    fc.assert(
      fc.property(grids, (grid) => {
        let end = 0
        for (let n = 0; n < (chunkCount(grid) ?? 0); n += 1) {
          expect(chunkStart(grid, n)).toBe(end)
          expect(chunkLength(grid, n)).toBeGreaterThan(0)
          end += chunkLength(grid, n)
        }
        expect(end).toBe(grid.size)
      }),
    )
  })

  it('finds for every byte the chunk that holds it', () => {
    fc.assert(
      fc.property(grids, fc.nat(1999), (grid, offset) => {
        fc.pre(offset < grid.size)
        const n = chunkAt(grid, offset)
        expect(offset).toBeGreaterThanOrEqual(chunkStart(grid, n))
        expect(offset).toBeLessThan(chunkStart(grid, n) + chunkLength(grid, n))
      }),
    )
  })

  it('has no chunks for a file of 0 bytes', () => {
    expect(chunkCount({ chunkSize: 5, size: 0 })).toBe(0)
    expect(isChunkNumber({ chunkSize: 5, size: 0 }, 0, 10_000)).toBe(false)
  })

  it('counts every chunk as whole while the length is deferred', () => {
    const grid = { chunkSize: 5, size: null }
    expect(chunkCount(grid)).toBeNull()
    expect(chunkLength(grid, 7)).toBe(5)
    expect(isChunkNumber(grid, 9_999, 10_000)).toBe(true)
    expect(isChunkNumber(grid, 10_000, 10_000)).toBe(false)
  })

  it.each([-1, 0.5, Number.NaN, 2 ** 53, 3])('knows that %s is no chunk of a file of three', (n) => {
    expect(isChunkNumber({ chunkSize: 5, size: 11 }, n, 10_000)).toBe(false)
  })
})

describe('the chunk size', () => {
  it('is the default, or the one asked for', () => {
    expect(chooseChunkSize(100, undefined, 5 * MIB, LIMITS)).toBe(5 * MIB)
    expect(chooseChunkSize(100, 7, 5 * MIB, LIMITS)).toBe(7)
    expect(chooseChunkSize(null, undefined, 5 * MIB, LIMITS)).toBe(5 * MIB)
  })

  it('grows in whole MiB just as far as the largest number of chunks needs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (size) => {
        const chunkSize = chooseChunkSize(size, undefined, 5 * MIB, LIMITS)
        expect(chunkCount({ chunkSize, size })).toBeLessThanOrEqual(LIMITS.maxChunks)
        if (chunkSize > 5 * MIB) {
          expect(chunkSize % MIB).toBe(0)
          expect(chunkCount({ chunkSize: chunkSize - MIB, size })).toBeGreaterThan(LIMITS.maxChunks)
        }
      }),
    )
  })

  it.each([0, -1, 1.5, 2 ** 53])('cannot be %s', (asked) => {
    expect(() => chooseChunkSize(100, asked, 5, LIMITS)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })

  it('says that a file is too large when no allowed size is enough for it', () => {
    const limits = { minChunkSize: 1, maxChunkSize: 8 * MIB, maxChunks: 10 }
    expect(chooseChunkSize(80 * MIB, undefined, MIB, limits)).toBe(8 * MIB)
    expect(() => chooseChunkSize(80 * MIB + 1, undefined, MIB, limits)).toThrow(
      expect.objectContaining({ code: 'FILE_TOO_LARGE' }),
    )
  })
})
