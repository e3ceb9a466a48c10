import type { ChunkRanges } from './contract.ts'

/** Where a chunk lies in its file: bytes from `start` up to, not including, `end`. */
export interface ChunkBounds {
  readonly start: number
  readonly end: number
}

/** The place of chunk `number` on the grid of a file. */
export function chunkBounds(number: number, chunkSize: number, fileSize: number): ChunkBounds {
  return { start: Math.min(number * chunkSize, fileSize), end: Math.min((number + 1) * chunkSize, fileSize) }
}

/** The numbers in ranges, in order. */
export function* chunksIn(ranges: ChunkRanges): Generator<number, void> {
  for (const [first, last] of ranges) for (let number = first; number <= last; number += 1) yield number
}

/** The chunks that are in none of the ranges, which are in order: what the server has where they are missing. */
export function otherRanges(ranges: ChunkRanges, totalChunks: number): ChunkRanges {
  const others: [number, number][] = []
  let next = 0
  for (const [first, last] of ranges) {
    if (first > next) others.push([next, first - 1])
    next = last + 1
  }
  if (next < totalChunks) others.push([next, totalChunks - 1])
  return others
}

/** Bytes of the chunks in ranges. */
export function bytesIn(ranges: ChunkRanges, chunkSize: number, fileSize: number): number {
  return ranges.reduce((sum, [first, last]) => {
    return sum + chunkBounds(last, chunkSize, fileSize).end - chunkBounds(first, chunkSize, fileSize).start
  }, 0)
}

/** How many chunks there are in ranges. */
export function countIn(ranges: ChunkRanges): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
}
