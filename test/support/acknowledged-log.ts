import { expect } from 'vitest'
import type { ChunkAnswer } from './upload-drivers.ts'

/** A tus client's own record of what it was promised. */
export class OffsetLog {
  readonly #name: string
  #offset = 0

  constructor(name: string) {
    this.#name = name
  }

  /** The largest offset it was told. */
  get offset(): number {
    return this.#offset
  }

  /** It is told an offset, by a 204 or by a HEAD of whatever life of the server. */
  told(offset: number): void {
    expect(offset, `${this.#name}: the offset goes back`).toBeGreaterThanOrEqual(this.#offset)
    this.#offset = offset
  }

  /** It is about to send bytes from here. */
  sending(offset: number): void {
    expect(offset, `${this.#name}: acknowledged bytes are sent again`).toBeGreaterThanOrEqual(this.#offset)
  }
}

/** A JSON client's own record of what it was promised. */
export class ChunkLog {
  readonly #name: string
  /** The first answer to each chunk that was answered. */
  readonly #answers = new Map<number, ChunkAnswer>()
  /** Every chunk it was told of: by an answer, or by not being missing. */
  readonly #durable = new Set<number>()

  constructor(name: string) {
    this.#name = name
  }

  get durable(): ReadonlySet<number> {
    return this.#durable
  }

  get answers(): ReadonlyMap<number, ChunkAnswer> {
    return this.#answers
  }

  /** A chunk is answered with 200, for the first time or again. */
  answered({ chunkNumber, size, checksum, storageKey, uploadedAt }: ChunkAnswer): void {
    const answer = { chunkNumber, size, checksum, storageKey, uploadedAt }
    const first = this.#answers.get(chunkNumber)
    if (first === undefined) this.#answers.set(chunkNumber, answer)
    else
      expect(answer, `${this.#name}: chunk ${chunkNumber} is answered with something else than before`).toEqual(first)
    this.#durable.add(chunkNumber)
  }

  /** It is told what is missing of `total` chunks; returns their numbers. */
  toldMissing(ranges: readonly (readonly [number, number])[], total: number): number[] {
    const missing = ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    const lost = missing.filter((number) => this.#durable.has(number))
    expect(lost, `${this.#name}: chunks that it was told of are missing`).toEqual([])
    const set = new Set(missing)
    for (let number = 0; number < total; number += 1) if (!set.has(number)) this.#durable.add(number)
    return missing
  }

  /** It is about to send a chunk, to bring the upload forward. */
  sending(number: number): void {
    expect(this.#durable.has(number), `${this.#name}: acknowledged chunk ${number} is sent again`).toBe(false)
  }
}
