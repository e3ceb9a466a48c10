import type { Hash } from 'node:crypto'
import type { Tail } from '../ledger.ts'
import type { ChunkWriter } from '../storage/storage.ts'

/** How one chunk is taken in. */
export interface ChunkIntakeOptions {
  /** Bytes of the chunk. */
  readonly length: number
  /** Where in the chunk the first byte lies. */
  readonly position: number
  /** A hash fed with the chunk's bytes before `position`. */
  readonly hash: Hash
  /** Where the bytes go. Null: they are durable already, and are only hashed, to be compared. */
  readonly writer: ChunkWriter | null
  /** Who is given every byte as well, before it is known to be good. It keeps none of the buffers. */
  readonly feed?: { push(buffers: readonly Buffer[]): void } | null
  /** Durable bytes at the chunk's start that come again: they are compared, and not given to the writer. */
  readonly tail?: Tail | null
}

/**
 * Takes the bytes of one chunk: each is hashed once, on its way to the writer. What is durable already is compared and
 * never written again.
 */
export class ChunkIntake {
  readonly length: number
  readonly #hash: Hash
  readonly #writer: ChunkWriter | null
  readonly #feed: ChunkIntakeOptions['feed']
  readonly #tail: Tail | null
  #position: number
  #begun: Hash
  #differs = false

  constructor(options: ChunkIntakeOptions) {
    this.length = options.length
    this.#position = options.position
    this.#hash = options.hash
    this.#writer = options.writer
    this.#feed = options.feed
    this.#tail = options.tail ?? null
    this.#begun = options.hash.copy()
  }

  /** Bytes of the chunk up to here. */
  get position(): number {
    return this.#position
  }

  /** Whether other bytes than these are durable at the chunk's start. */
  get differs(): boolean {
    return this.#differs
  }

  /** Bytes of the chunk still to come. */
  get remaining(): number {
    return this.length - this.#position
  }

  /** A hash of the chunk up to where the writer's bytes begin. */
  get begun(): Hash {
    return this.#begun.copy()
  }

  /** A hash of the chunk up to here, to go on from. */
  get hash(): Hash {
    return this.#hash.copy()
  }

  /** SHA-256 (hex) of the chunk up to here. */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }

  /**
   * Takes at most {@link ChunkIntake.remaining} bytes; resolves when more may be given. Once they are known to differ from
   * the tail that is durable here, nothing of them is written.
   */
  async take(buffers: readonly Buffer[]): Promise<void> {
    this.#feed?.push(buffers)
    const beyond: Buffer[] = []
    for (const buffer of buffers) {
      const durable = this.#tail === null ? 0 : Math.min(buffer.length, Math.max(0, this.#tail.size - this.#position))
      if (durable > 0) this.#compare(buffer.subarray(0, durable))
      if (durable < buffer.length) {
        const rest = durable === 0 ? buffer : buffer.subarray(durable)
        this.#hash.update(rest)
        this.#position += rest.length
        beyond.push(rest)
      }
    }
    if (beyond.length > 0 && this.#writer !== null && !this.#differs) await this.#writer.write(beyond)
  }

  #compare(buffer: Buffer): void {
    this.#hash.update(buffer)
    this.#position += buffer.length
    if (this.#position !== this.#tail?.size) return
    this.#differs = this.digest() !== this.#tail.sha256
    this.#begun = this.hash
  }
}
