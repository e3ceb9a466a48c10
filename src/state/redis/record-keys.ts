import { uploadKey } from '../../redis/key.ts'

/**
 * The keys of an upload's record, in the order in which scripts get them.
 *
 * - `upload`: HASH, all that is one value, and the counters the rules need
 * - `entries`: LIST, its durable chunks in the order in which they came: a reader fetches only the newer ones
 * - `index`: bitmap, bit n is set where chunk n is among them
 * - `merge`: STRING, there since a merge began: it goes with all else that is forgotten
 */
export function recordKeys(
  prefix: string,
  id: string,
): readonly [upload: string, entries: string, index: string, merge: string] {
  const [upload, entries, index, merge] = ['upload', 'entries', 'index', 'merge'].map((name) =>
    uploadKey(prefix, id, name),
  ) as [string, string, string, string]
  return [upload, entries, index, merge]
}

/** The expiry index: a ZSET, ids by the earliest time they may expire. It is of all uploads: in a slot of its own. */
export function expiryIndexKey(prefix: string): string {
  return `${prefix}expiry`
}
