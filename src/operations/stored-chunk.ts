import type { Hash } from 'node:crypto'
import type { ChunkEntry, Tail } from '../ledger.ts'
import type { Hold, Storage } from '../storage/storage.ts'
import type { Change, StoredUpload } from '../upload.ts'

/** A chunk that storage has, and what can still be said of its bytes. */
export interface StoredBytes {
  readonly entry: ChunkEntry
  /** The tail it goes on from. */
  readonly follows: Tail | null
  /** A hash fed with the bytes of that tail. */
  readonly begun: Hash
  /** The bytes after it; null where storage took them in place. */
  readonly hold: Hold | null
}

/** What defends bytes that clients were told of. */
interface Defending {
  readonly storage: Pick<Storage, 'defend'>
}

/** The tail that a chunk goes on from, as the ledger has it now. */
export function tailOf({ ledger: { tail } }: StoredUpload, number: number): Tail | null {
  return tail?.number === number ? tail : null
}

/** What is to be recorded of a stored chunk, where it goes on from this tail. */
export function chunkChange({ entry }: StoredBytes, follows: Tail | null): Change {
  return { type: 'chunk', entry, follows }
}

/**
 * Whether a stored chunk is what clients were told of its place: another chunk of the same bytes, or a tail that it begins
 * with. Where a lease has failed it may not be, and may stand in the place of those bytes: then no recovery may take it for
 * them, and storage sees to that.
 */
export async function agrees({ storage }: Defending, upload: StoredUpload, stored: StoredBytes): Promise<boolean> {
  const { number, sha256 } = stored.entry
  const chunk = upload.ledger.chunks.get(number)
  const tail = tailOf(upload, number)
  if (chunk !== undefined ? chunk.sha256 === sha256 : tail === null || (await beginsWith(stored, tail))) return true
  const recorded = chunk ?? tail
  if (recorded !== null) await storage.defend(upload, recorded)
  return false
}

async function beginsWith({ follows, begun, hold }: StoredBytes, { size, sha256 }: Tail): Promise<boolean> {
  const from = follows?.size ?? 0
  if (size === from) return sha256 === follows?.sha256
  // A shorter one is the beginning of what it follows. Where bytes are written in place, whoever came last has them.
  if (size < from || hold === null) return true
  const hash = begun.copy()
  let left = size - from
  for await (const buffer of hold.read()) {
    hash.update(buffer.subarray(0, left))
    left -= buffer.length
    if (left <= 0) break
  }
  return hash.digest('hex') === sha256
}
