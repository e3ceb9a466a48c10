import type { ChunkEntry, Tail } from '../ledger.ts'
import type { Follower } from './follower.ts'

/**
 * Bytes of an upload that are hashed as they come, in place of being read back. Nothing fails by it: where the thread does
 * not keep up, or anything goes wrong, what was fed counts for nothing and is read back later.
 */
export class DigestFeed {
  readonly #follower: Follower
  #chunk: number
  #isOver = false

  /** It goes on where the follower stands. */
  constructor(follower: Follower) {
    this.#follower = follower
    this.#chunk = follower.chunks
    follower.feed = this
    if (follower.tail === null) follower.hash.mark(follower.chunks)
  }

  /** The next bytes. They are copied. */
  push(buffers: readonly Buffer[]): void {
    if (!this.#isOver && !this.#follower.hash.feed(buffers)) this.end()
  }

  /** Here ends a chunk, whether it is durable yet or not. */
  endChunk(): void {
    this.#chunk += 1
    if (!this.#isOver) this.#follower.hash.mark(this.#chunk)
  }

  /** A chunk is recorded that was fed whole. Others before it were told first. */
  recorded({ number, sha256 }: ChunkEntry): void {
    if (this.#isOver) return
    if (number !== this.#follower.chunks) return this.end()
    this.#follower.cover(sha256)
    this.#follower.hash.settle(this.#follower.chunks)
  }

  /** Everything that was fed is recorded; the last of it, which is not a whole chunk, as this tail. */
  suspended(tail: Tail): void {
    if (this.#isOver) return
    if (tail.number !== this.#follower.chunks) return this.end()
    this.#follower.tail = tail
    this.#finish()
  }

  /** Takes no more. What is not recorded by now counts for nothing. A second time does nothing. */
  end(): void {
    if (this.#isOver) return
    this.#follower.back()
    this.#finish()
  }

  #finish(): void {
    this.#isOver = true
    this.#follower.feed = null
  }
}
