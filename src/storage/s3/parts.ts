import { UploadError } from '../../errors.ts'
import { chunkLength } from '../../grid.ts'
import type { ChunkEntry, ChunkRange, Tail } from '../../ledger.ts'
import { gridOf, type StoredUpload } from '../../upload.ts'
import { continued, listSegments, lookUp, removeSegments } from './chains.ts'
import type { S3Context } from './context.ts'
import { NO_BYTES, removeFile } from './final-object.ts'
import type { Place } from './manifest.ts'
import type { ChosenPart, MultipartUpload, Part } from './multipart.ts'

/** What is to become a file. */
export interface Choice {
  /** All chunks of the file, in order. */
  readonly entries: readonly ChunkEntry[]
  /** Whether S3 is asked what parts it has: the ledger alone will not do. */
  readonly isAsked: boolean
}

/**
 * The parts that a file is made of; null where the multipart upload is gone. Where S3 is asked, each chunk's part is the
 * one that it has now, if it is of the same bytes; a tail that a length made the last chunk becomes a part.
 *
 * @throws UploadError `CHUNKS_MISSING` when S3 has other bytes for a chunk, or none
 */
export async function chooseParts(
  context: S3Context,
  place: Place,
  multipart: MultipartUpload,
  { entries, isAsked }: Choice,
): Promise<ChosenPart[] | null> {
  if (!isAsked) return entries.map((entry) => chosen(entry, entry.etag ?? ''))
  const parts = await context.multipart.parts(multipart)
  if (parts === null) return null
  const byNumber = new Map(parts.map((part) => [part.number, part]))
  const choice: ChosenPart[] = []
  const missing: ChunkEntry[] = []
  for (const entry of entries) {
    const part = byNumber.get(entry.number + 1)
    const etag =
      part !== undefined && isSame(part, entry) ? part.etag : await promoted(context, place, multipart, entry)
    if (etag === null) missing.push(entry)
    else choice.push(chosen(entry, etag))
  }
  if (missing.length === 0) return choice
  await dropChunks(context, place, multipart, missing, byNumber)
  throw new UploadError('CHUNKS_MISSING', { details: { missing: rangesOf(missing) } })
}

/**
 * Sees to it that no merge takes other bytes for a recorded chunk, or for one of which a tail is recorded: a part that a writer without a lock has sent in its
 * place, or was about to, is overwritten with an empty one. Then completion finds that the chunk is missing.
 */
export async function defendChunk(
  context: S3Context,
  place: Place,
  upload: StoredUpload,
  entry: ChunkEntry | Tail,
): Promise<void> {
  const { id, multipart } = place
  if (multipart === null) {
    // The only chunk of a small file is never written over: at most it stands where a tail was acknowledged.
    if (entry.size < chunkLength(gridOf(upload), entry.number)) await removeFile(context, place)
    return
  }
  const parts = await context.multipart.parts(multipart, entry.number)
  const part = parts?.find(({ number }) => number === entry.number + 1)
  if (part === undefined || isSame(part, entry)) return
  context.options.onWarning(`Upload ${id}: two clients have sent two contents for chunk ${entry.number}.`)
  await context.multipart.send(multipart, entry.number + 1, NO_BYTES)
}

/** The same size, and the same bytes: by their digest, or where S3 keeps none by the name it gave them. */
function isSame(part: Part, entry: ChunkEntry | Tail): boolean {
  if (part.size !== entry.size) return false
  return part.sha256 === null ? 'etag' in entry && part.etag === entry.etag : part.sha256 === entry.sha256
}

/**
 * Sends the segments of a tail as the part that a length has made of them; its ETag, or null where there are none. The
 * segments stay until the file is made: killed at any point before that, this is done again.
 */
async function promoted(
  context: S3Context,
  { id }: Place,
  multipart: MultipartUpload,
  { number, size, sha256 }: ChunkEntry,
): Promise<string | null> {
  const tail: Tail = { number, size, sha256 }
  const chain = await lookUp(context, await listSegments(context, id), tail)
  if (chain === null) return null
  const nothing = async function* (): AsyncGenerator<Buffer> {}
  const payload = continued(context, id, chain, tail, { size, sha256, body: nothing })
  return await context.multipart.send(multipart, number + 1, payload)
}

/**
 * S3 has no bytes of these chunks, or others than the ledger says: two clients have sent two contents for one chunk, which
 * only a lost lock lets through. Such a part is overwritten with an empty one, which no grid knows, so that no merge takes
 * it for the chunk; and the upload takes bytes again. Killed in between, the next call finds them as they are and goes on.
 */
async function dropChunks(
  context: S3Context,
  { id }: Place,
  multipart: MultipartUpload,
  missing: readonly ChunkEntry[],
  parts: ReadonlyMap<number, Part>,
): Promise<void> {
  const numbers = missing.map((entry) => entry.number).join(', ')
  context.options.onWarning(`Upload ${id}: S3 does not have the bytes of chunk ${numbers}; they have to be sent again.`)
  for (const { number, size } of missing) {
    if (parts.get(number + 1)?.size === size) await context.multipart.send(multipart, number + 1, NO_BYTES)
    // Nor does any take for its beginning what somebody once wrote of it.
    await removeSegments(context, id, number)
  }
  for (const fact of ['digest', 'ledger', 'completing'] as const)
    await context.bucket.remove(context.keys.fact(id, fact))
}

function chosen({ number, sha256 }: ChunkEntry, etag: string): ChosenPart {
  return { number: number + 1, etag, sha256 }
}

function rangesOf(entries: readonly ChunkEntry[]): ChunkRange[] {
  const ranges: [number, number][] = []
  for (const { number } of entries) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === number - 1) last[1] = number
    else ranges.push([number, number])
  }
  return ranges
}
