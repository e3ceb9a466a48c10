import { createHash } from 'node:crypto'
import { chunkStart } from '../grid.ts'
import type { Tail } from '../ledger.ts'
import { gridOf, type StoredUpload } from '../upload.ts'
import type { DigestFeed } from './digest-feed.ts'
import type { ThreadHash } from './hash-thread.ts'

/** How far the digest of one upload has come. */
export class Follower {
  readonly hash: ThreadHash
  /** Who feeds it now. */
  feed: DigestFeed | null = null
  /** What it has of the next chunk, as it was recorded. */
  tail: Tail | null = null
  running: Promise<void> | null = null
  /** It was asked to follow while it was under way. */
  again = false
  /** Somebody waits for it. */
  awaited = false
  #chunks = 0
  #digest: Promise<string> | null = null
  /** Of which chunks the hash is, by their SHA-256. */
  readonly #covered = createHash('sha256')

  constructor(hash: ThreadHash) {
    this.hash = hash
  }

  /** Chunks that are hashed whole. */
  get chunks(): number {
    return this.#chunks
  }

  /** The next chunk is hashed whole, with what was recorded of it. */
  cover(sha256: string): void {
    this.#covered.update(sha256)
    this.#chunks += 1
    this.tail = null
  }

  /** The digest of everything that is hashed; the hash is over then. */
  digest(): Promise<string> {
    this.#digest ??= this.hash.digest()
    return this.#digest
  }

  /** Forgets what it has of chunks that are not covered. */
  back(): void {
    // Where nobody has fed it, it has come by whole chunks.
    if (this.feed !== null || this.tail !== null) this.hash.back(this.#chunks)
    this.tail = null
  }

  /** Whether an append from this offset goes on where this stands. */
  standsAt(upload: StoredUpload, offset: number): boolean {
    const { tail } = this
    const start = chunkStart(gridOf(upload), this.#chunks)
    if (tail === null) return start === offset
    const recorded = upload.ledger.tail
    return start + tail.size === offset && recorded?.number === tail.number && recorded.sha256 === tail.sha256
  }

  /**
   * Whether the chunks that were hashed are those that the ledger has: one may have been lost since, and have come again with
   * other bytes, perhaps by another node.
   */
  agreesWith({ ledger }: StoredUpload): boolean {
    const recorded = createHash('sha256')
    for (let number = 0; number < this.#chunks; number += 1) recorded.update(ledger.chunks.get(number)?.sha256 ?? '')
    return recorded.digest('hex') === this.#covered.copy().digest('hex')
  }
}
