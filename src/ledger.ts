import { chunkCount, chunkLength, chunkStart, type Grid } from './grid.ts'

/** A chunk that storage has confirmed. */
export interface ChunkEntry {
  /** From 0. */
  readonly number: number
  /** Bytes. */
  readonly size: number
  /** SHA-256 of the bytes received, in hex. */
  readonly sha256: string
  /** When it became durable, ms since the epoch. */
  readonly at: number
  /** What an object store calls this part. */
  readonly etag?: string
}

/** The bytes of the one chunk that a sequential writer has begun and not filled. It always lies in the first missing chunk. */
export interface Tail {
  /** The chunk these bytes begin. */
  readonly number: number
  /** Durable bytes from the chunk's start; never 0. */
  readonly size: number
  /** SHA-256 of these bytes, in hex. */
  readonly sha256: string
}

/** An inclusive range of chunk numbers. */
export type ChunkRange = readonly [first: number, last: number]

/**
 * The ledger: which chunks of an upload are durable, and its tail. Everything a client is told comes from here.
 *
 * It only ever grows: `add` is set-if-absent and the tail is replaced only by a longer one, so offset and chunk set never
 * go back whatever order records arrive in. (Dropping a chunk that storage turned out not to hold is a new ledger.)
 */
export class Ledger {
  readonly #chunks = new Map<number, ChunkEntry>()
  #tail: Tail | null = null
  #run = 0
  #chunkBytes = 0
  #highest = -1

  /** The durable chunks, by number. */
  get chunks(): ReadonlyMap<number, ChunkEntry> {
    return this.#chunks
  }

  /** The tail, or null. */
  get tail(): Tail | null {
    return this.#tail
  }

  /** The first chunk that is missing: the length of the unbroken run of chunks from 0. */
  get run(): number {
    return this.#run
  }

  /** All durable bytes, gaps or not. */
  get durableBytes(): number {
    return this.#chunkBytes + (this.#tail?.size ?? 0)
  }

  /** Adds a chunk unless it is there; the first entry for a chunk stays. Returns the entry that stands. */
  add(entry: ChunkEntry): ChunkEntry {
    const standing = this.#chunks.get(entry.number)
    if (standing !== undefined) return standing
    this.#chunks.set(entry.number, entry)
    this.#chunkBytes += entry.size
    this.#highest = Math.max(this.#highest, entry.number)
    while (this.#chunks.has(this.#run)) this.#run += 1
    if (this.#tail !== null && this.#tail.number < this.#run) this.#tail = null
    return entry
  }

  /** Takes a tail where it continues the run and is longer than the one that stands. Returns whether it was taken. */
  setTail(tail: Tail): boolean {
    if (tail.number !== this.#run || tail.size <= 0) return false
    if (this.#tail !== null && tail.size <= this.#tail.size) return false
    this.#tail = tail
    return true
  }

  /** The end of the unbroken run of chunks plus the tail: what tus calls `Upload-Offset`. Bytes. */
  offset(grid: Grid): number {
    const runEnd = this.#run === 0 ? 0 : chunkStart(grid, this.#run - 1) + (this.#chunks.get(this.#run - 1)?.size ?? 0)
    return runEnd + (this.#tail?.size ?? 0)
  }

  /** The end of the last durable byte, gaps or not: a deferred length cannot be declared below it. */
  extent(grid: Grid): number {
    const last = this.#highest < 0 ? 0 : chunkStart(grid, this.#highest) + (this.#chunks.get(this.#highest)?.size ?? 0)
    return Math.max(last, this.offset(grid))
  }

  /** Whether every chunk of the grid is here. Never true while the length is deferred. */
  isFull(grid: Grid): boolean {
    const count = chunkCount(grid)
    return count !== null && this.#run >= count
  }

  /** The tail as the chunk it has become, where a length now known ends exactly with it. */
  tailAsChunk(grid: Grid, at: number): ChunkEntry | null {
    const tail = this.#tail
    if (tail === null || grid.size === null || tail.size !== chunkLength(grid, tail.number)) return null
    return { number: tail.number, size: tail.size, sha256: tail.sha256, at }
  }

  /** The chunks that are not here, as ascending inclusive ranges. Empty while the length is deferred. */
  missing(grid: Grid): ChunkRange[] {
    const count = chunkCount(grid)
    if (count === null) return []
    const ranges: ChunkRange[] = []
    for (let n = this.#run; n < count; n += 1) {
      if (this.#chunks.has(n)) continue
      const first = n
      while (n + 1 < count && !this.#chunks.has(n + 1)) n += 1
      ranges.push([first, n])
    }
    return ranges
  }

  /** A ledger of its own with the same content. */
  copy(): Ledger {
    return Ledger.of(this.#chunks.values(), this.#tail)
  }

  /** The union of two ledgers, per chunk set-if-absent: the one way in which knowledge is recovered. */
  merge(other: Ledger): Ledger {
    const merged = this.copy()
    for (const entry of other.#chunks.values()) merged.add(entry)
    if (other.#tail !== null) merged.setTail(other.#tail)
    return merged
  }

  /** A ledger of these chunks and this tail, in any order. */
  static of(chunks: Iterable<ChunkEntry>, tail: Tail | null = null): Ledger {
    const ledger = new Ledger()
    for (const entry of chunks) ledger.add(entry)
    if (tail !== null) ledger.setTail(tail)
    return ledger
  }
}
