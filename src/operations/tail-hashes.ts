import { createHash, type Hash } from 'node:crypto'
import { chunkStart } from '../grid.ts'
import type { Tail } from '../ledger.ts'
import type { Storage } from '../storage/storage.ts'
import { gridOf, type StoredUpload } from '../upload.ts'

/** How many tails are remembered; another is read back. */
const CAPACITY = 1024

/**
 * The SHA-256 states of tails, so that an upload made of many small appends does not read its chunk back for each of them.
 * Only a cache: what is not in it is read from storage.
 */
export class TailHashes {
  readonly #hashes = new Map<string, { readonly tail: Tail; readonly hash: Hash }>()

  /** Remembers the state after `tail`. */
  keep(id: string, tail: Tail, hash: Hash): void {
    this.drop(id)
    this.#hashes.set(id, { tail, hash })
    if (this.#hashes.size > CAPACITY) {
      const [oldest] = this.#hashes.keys()
      if (oldest !== undefined) this.drop(oldest)
    }
  }

  drop(id: string): void {
    this.#hashes.delete(id)
  }

  /** A hash fed with the first `size` durable bytes of chunk `number`: remembered, or read back. */
  async resume(storage: Storage, upload: StoredUpload, number: number, size: number): Promise<Hash> {
    if (size === 0) return createHash('sha256')
    const known = this.#hashes.get(upload.manifest.id)
    const tail = upload.ledger.tail
    if (known !== undefined && known.tail.number === number && known.tail.size === size) {
      // Another node may have written another tail of this length: the ledger's digest decides.
      if (tail === null || known.tail.sha256 === tail.sha256) return known.hash.copy()
    }
    return hashOf(storage.read(upload, chunkStart(gridOf(upload), number), chunkStart(gridOf(upload), number) + size))
  }
}

/** SHA-256 over bytes as they are read. */
export async function hashOf(source: AsyncIterable<Buffer>): Promise<Hash> {
  const hash = createHash('sha256')
  for await (const buffer of source) hash.update(buffer)
  return hash
}
