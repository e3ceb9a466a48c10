import { createHash } from 'node:crypto'
import { UploadError } from '../../errors.ts'
import { chunkCount, chunkLength, type Grid } from '../../grid.ts'
import type { ChunkEntry } from '../../ledger.ts'
import type { ObjectFacts } from './bucket.ts'
import type { S3Context } from './context.ts'
import { readLedger } from './facts.ts'
import { isOurs } from './final-object.ts'
import type { Place } from './manifest.ts'
import { readObject } from './ranges.ts'
import { compositeOf } from './sha256.ts'

/** A grid of known length. */
export type ClosedGrid = Grid & { readonly size: number }

/**
 * The chunks of a multipart upload whose object stands, so that S3 tells its parts no more, while no end is recorded: a
 * kill came right between. Large uploads have written them down; of others the object is read once more.
 * Null where the object does not stand.
 */
export async function rebuildChunks(context: S3Context, place: Place, grid: ClosedGrid): Promise<ChunkEntry[] | null> {
  const facts = await context.bucket.head(place.key)
  if (facts === null || !isOurs(facts, place.id) || facts.size !== grid.size) return null
  const written = await readLedger(context, place, grid)
  if (written !== null && agrees(facts, written)) return written
  const read = await hashChunks(context, place, grid, facts)
  if (agrees(facts, read)) return read
  const cause = new Error(`The object ${place.key} was read with other bytes than S3 has a checksum of.`)
  throw new UploadError('STORAGE_UNAVAILABLE', { cause })
}

/** Whether an object is made of these chunks, as far as S3 tells. */
export function agrees({ checksum }: ObjectFacts, chunks: readonly ChunkEntry[]): boolean {
  // One that has no parts at all has no composite either.
  return checksum === null || chunks.length === 0 || checksum === compositeOf(chunks.map((chunk) => chunk.sha256))
}

async function hashChunks(
  context: S3Context,
  place: Place,
  grid: ClosedGrid,
  { modifiedAt }: ObjectFacts,
): Promise<ChunkEntry[]> {
  const chunks: ChunkEntry[] = []
  let hash = createHash('sha256')
  let filled = 0
  const check = (facts: ObjectFacts) => {
    if (!isOurs(facts, place.id)) throw new UploadError('STORAGE_UNAVAILABLE')
  }
  for await (let buffer of readObject(context.bucket, place.key, 0, grid.size, { check })) {
    while (buffer.length > 0) {
      const size = chunkLength(grid, chunks.length)
      const piece = buffer.subarray(0, size - filled)
      hash.update(piece)
      filled += piece.length
      buffer = buffer.subarray(piece.length)
      if (filled < size) continue
      chunks.push({ number: chunks.length, size, sha256: hash.digest('hex'), at: modifiedAt })
      hash = createHash('sha256')
      filled = 0
    }
  }
  if (chunks.length !== chunkCount(grid)) throw new Error(`The object ${place.key} was not read whole.`)
  return chunks
}
