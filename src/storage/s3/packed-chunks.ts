import { chunkCount, chunkLength, type Grid } from '../../grid.ts'
import type { ChunkEntry, Ledger } from '../../ledger.ts'
import { isCount, isObject } from './json.ts'

/** All chunks of a finished upload, small enough to be kept for as long as its file: 32 bytes and a time for each. */
export interface PackedChunks {
  /** Their SHA-256 one after the other, in base64. */
  readonly sha256: string
  /** When each became durable, ms since the epoch. */
  readonly at: readonly number[]
}

/** Up to so many are kept within the record of the file's end; more are an object of their own. */
export const CHUNKS_IN_RECORD = 256

/** Packs a ledger that is full. */
export function packChunks(ledger: Ledger): PackedChunks {
  const entries = [...ledger.chunks.values()].toSorted((a, b) => a.number - b.number)
  return {
    sha256: Buffer.from(entries.map((entry) => entry.sha256).join(''), 'hex').toString('base64'),
    at: entries.map((entry) => entry.at),
  }
}

/** The chunks, or null where the value is none of this grid. */
export function unpackChunks(value: unknown, grid: Grid): ChunkEntry[] | null {
  const count = chunkCount(grid)
  if (count === null || !isObject(value) || typeof value.sha256 !== 'string' || !Array.isArray(value.at)) return null
  const times: readonly unknown[] = value.at
  const digests = Buffer.from(value.sha256, 'base64')
  if (digests.length !== count * 32 || times.length !== count || !times.every(isCount)) return null
  return times.map((at, number) => ({
    number,
    size: chunkLength(grid, number),
    sha256: digests.toString('hex', number * 32, (number + 1) * 32),
    at,
  }))
}
