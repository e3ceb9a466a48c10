import { UploadError } from '../errors.ts'
import { MIB } from '../grid.ts'
import type { Hold } from '../storage/storage.ts'
import type { Holds } from './holds.ts'

/** Bytes of the first piece; each further one doubles what there is, up to the largest. */
const FIRST_PIECE = MIB
const LARGEST_PIECE = 64 * MIB

/**
 * A hold for a body of which nobody knows how long it is: it reserves room piece by piece, as bytes come. The first piece
 * is waited for; for another, which is asked for with others in hand, nobody waits: two could wait for each other.
 */
export class GrowingHold implements Hold {
  readonly #holds: Holds
  readonly #pieces: Hold[] = []
  #size = 0
  #room = 0

  private constructor(holds: Holds) {
    this.#holds = holds
  }

  /**
   * Room for the first bytes, in turn.
   * @throws UploadError as {@link Holds.take}
   */
  static async begin(holds: Holds, gone: AbortSignal): Promise<GrowingHold> {
    const hold = new GrowingHold(holds)
    const first = Math.min(FIRST_PIECE, holds.largest)
    hold.#add(await holds.take(first, gone, first <= holds.share), first)
    return hold
  }

  get size(): number {
    return this.#size
  }

  /** @throws UploadError `UPLOAD_LOCKED` where there is no more room at the moment */
  async append(buffers: readonly Buffer[]): Promise<void> {
    for (let buffer of buffers) {
      while (buffer.length > 0) {
        if (this.#size === this.#room) this.#grow()
        const taken = buffer.subarray(0, this.#room - this.#size)
        await this.#pieces.at(-1)?.append([taken])
        this.#size += taken.length
        buffer = buffer.subarray(taken.length)
      }
    }
  }

  async *read(start = 0, end = this.#size): AsyncIterable<Buffer> {
    let position = 0
    for (const piece of this.#pieces) {
      const [from, to] = [Math.max(0, start - position), Math.min(piece.size, end - position)]
      if (from < to) yield* piece.read(from, to)
      position += piece.size
    }
  }

  async drop(): Promise<void> {
    await Promise.all(this.#pieces.map((piece) => piece.drop()))
  }

  #grow(): void {
    // Not beyond what can ever be had: so much it must come to.
    const bytes = Math.min(this.#room, LARGEST_PIECE, this.#holds.largest - this.#room)
    const piece = bytes > 0 ? this.#holds.takeNow(bytes, this.#room + bytes <= this.#holds.share) : null
    if (piece === null) {
      throw new UploadError('UPLOAD_LOCKED', {
        message: 'The server is busy with other bodies. Nothing of this one was kept; try again.',
      })
    }
    this.#add(piece, bytes)
  }

  #add(piece: Hold, bytes: number): void {
    this.#pieces.push(piece)
    this.#room += bytes
  }
}
