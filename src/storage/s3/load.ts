import { chunkCount, chunkLength, type Grid } from '../../grid.ts'
import { type ChunkEntry, Ledger } from '../../ledger.ts'
import { newUpload, type StoredUpload } from '../../upload.ts'
import { longestTail } from './chains.ts'
import type { S3Context } from './context.ts'
import type { End } from './ends.ts'
import { readDigest, readFolder, readLedger, readLength } from './facts.ts'
import { standingChunk } from './final-object.ts'
import { type Place, readManifest, type StoredManifest } from './manifest.ts'
import type { Part } from './multipart.ts'
import { unpackChunks } from './packed-chunks.ts'
import { recordLost, seenAgain } from './lost.ts'
import { rebuildChunks } from './rebuild.ts'
import type { Segment } from './segments.ts'

/** Everything the bucket knows of an upload, or null. An upload that has ended takes two requests. */
export async function loadUpload(context: S3Context, id: string): Promise<StoredUpload | null> {
  const stored = await readManifest(context.documents, context.keys, id)
  if (stored === null) return null
  const { manifest, place, ended } = stored
  context.places.set(id, place)
  if (ended !== null) return { ...newUpload(manifest), status: ended.status, endedAt: ended.at }
  return (await loadEnded(context, stored)) ?? (await loadOpen(context, stored))
}

async function loadEnded(context: S3Context, stored: StoredManifest): Promise<StoredUpload | null> {
  const standing = await context.ends.read(stored.place.fileId)
  if (standing === null) return null
  const { end } = standing
  if (end.status === 'uploaded') return await loadFinished(context, stored, end)
  return { ...newUpload(stored.manifest), status: end.status, endedAt: end.at }
}

async function loadFinished(context: S3Context, { manifest, place }: StoredManifest, end: End): Promise<StoredUpload> {
  const size = end.size ?? manifest.size ?? (await readLength(context, place.id))?.size ?? null
  const grid = { chunkSize: manifest.chunkSize, size }
  // A kill may have come between the digest and the file's record.
  const digest = end.file?.checksum ?? (await readDigest(context, place.id))
  const chunks =
    unpackChunks(end.chunks, grid) ??
    (await readLedger(context, place, grid)) ??
    (size === null ? null : await chunksOfObject(context, place, grid)) ??
    []
  return { manifest, size, status: 'uploaded', endedAt: end.at, digest, ledger: Ledger.of(chunks) }
}

async function loadOpen(context: S3Context, stored: StoredManifest): Promise<StoredUpload> {
  const { manifest, place } = stored
  const { id, multipart } = place
  const [folder, parts] = await Promise.all([
    readFolder(context, id),
    multipart === null ? null : context.multipart.parts(multipart),
  ])
  const [length, digest] = await Promise.all([
    folder.facts.has('length') ? readLength(context, id) : null,
    folder.facts.has('digest') ? readDigest(context, id) : null,
  ])
  const size = manifest.size ?? length?.size ?? null
  const grid = { chunkSize: manifest.chunkSize, size }
  const chunks = parts === null ? await chunksOfObject(context, place, grid) : chunksOfParts(parts, grid)
  if (chunks === null && multipart !== null) {
    // Neither parts nor object: it may have ended while it was looked at.
    const ended = await loadEnded(context, stored)
    if (ended !== null) return ended
    await recordLost(context, place)
    return await loadOpen(context, stored)
  }
  seenAgain(context, id)
  const ledger = await ledgerOf(context, chunks ?? [], folder.segments, grid, length?.at ?? 0)
  const full = ledger.isFull(grid)
  // To be completing with a chunk missing would be to wait for ever, however it came to that.
  const begun = ledger.durableBytes > 0 ? 'uploading' : 'initiated'
  const status = full && folder.facts.has('completing') ? 'completing' : begun
  return { ...newUpload(manifest), size, status, digest: full ? digest : null, ledger }
}

/** Parts of the grid's size, with a digest: nothing else is known to be what was sent. */
function chunksOfParts(parts: readonly Part[], grid: Grid): ChunkEntry[] {
  const chunks: ChunkEntry[] = []
  for (const { number, size, sha256, etag, modifiedAt } of parts) {
    const length = chunkLength(grid, number - 1)
    if (sha256 === null || length === 0 || size !== length) continue
    chunks.push({ number: number - 1, size, sha256, at: modifiedAt, etag })
  }
  return chunks
}

/** The chunks, and the longest tail of the first that is missing; a length that ends with the tail makes it a chunk. */
async function ledgerOf(
  context: S3Context,
  chunks: readonly ChunkEntry[],
  segments: readonly Segment[],
  grid: Grid,
  at: number,
): Promise<Ledger> {
  const ledger = Ledger.of(chunks)
  const count = chunkCount(grid)
  if (count !== null && ledger.run >= count) return ledger
  const fitting = segments.filter((segment) => segment.to <= chunkLength(grid, segment.number))
  const longest = await longestTail(context, fitting, ledger.run)
  if (longest !== null) ledger.setTail(longest.tail)
  const last = ledger.tailAsChunk(grid, at)
  if (last !== null) ledger.add(last)
  return ledger
}

/** The chunks of an upload whose object stands already, though no end is recorded; null where it does not stand. */
async function chunksOfObject(context: S3Context, place: Place, grid: Grid): Promise<ChunkEntry[] | null> {
  const { size } = grid
  if (size === null) return null
  if (place.multipart !== null) return await rebuildChunks(context, place, { ...grid, size })
  const chunk = size === 0 ? null : await standingChunk(context, place, size)
  return chunk === null ? null : [chunk]
}
