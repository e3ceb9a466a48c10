import type { Hash } from 'node:crypto'
import type { LiveBody } from '../body/bodies.ts'
import { ChunkIntake } from '../body/chunk-intake.ts'
import { UploadError } from '../errors.ts'
import { chunkAt, chunkCount, chunkLength, chunkStart } from '../grid.ts'
import type { ChunkEntry, Tail } from '../ledger.ts'
import type { UploadLock } from '../locks/locker.ts'
import type { ChunkWriter } from '../storage/storage.ts'
import { gridOf, type Change, type Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { commit } from './records.ts'
import { hashOf } from './tail-hashes.ts'

/** One append under way. */
export interface Append {
  readonly context: Context
  readonly id: string
  readonly body: LiveBody
  readonly lock: UploadLock
}

/** Where an append goes on. */
export interface AppendPlace {
  /** Offset in the file of the first byte given, bytes. */
  readonly position: number
  /** The bytes already read of the body; all in one chunk. */
  readonly first: readonly Buffer[]
}

/**
 * Takes the body into the chunk at `position`, to the chunk's end or the body's. The chunk is held. Where it is durable
 * already the bytes are compared with it, else they are written: the rest of the chunk, or the tail.
 */
export async function appendToChunk(
  work: Append,
  upload: Upload,
  place: AppendPlace,
): Promise<{ readonly upload: Upload; readonly position: number }> {
  const { context } = work
  const grid = gridOf(upload)
  const number = chunkAt(grid, place.position)
  const start = chunkStart(grid, number)
  const from = place.position - start
  const durable = upload.ledger.chunks.get(number)
  const hash = await context.tailHashes.resume(context.storage, upload, number, from)
  const length = durable?.size ?? cappedLength(work, upload, number)
  if (durable !== undefined) {
    const intake = new ChunkIntake({ length, position: from, hash, writer: null })
    await fill(work, intake, place.first)
    await compare(work, upload, durable, intake)
    return { upload, position: start + intake.position }
  }
  const writer = await context.storage.beginChunk(upload, number, from, { memory: (work.body.share() * 3) / 4 })
  const intake = new ChunkIntake({ length, position: from, hash, writer })
  try {
    await fill(work, intake, place.first)
  } catch (error) {
    await writer.abort()
    throw error
  }
  // A chunk of unknown last length is full only at the grid's own size.
  const full = intake.position === chunkLength(grid, number)
  const after = full
    ? await finish(work, upload, number, intake, writer)
    : await suspend(work, upload, number, intake, writer)
  return { upload: after, position: start + intake.position }
}

/** A deferred upload may end in mid-chunk at the largest size allowed. */
function cappedLength({ context }: Append, upload: Upload, number: number): number {
  const grid = gridOf(upload)
  const { maxFileSize } = context.options
  const length = chunkLength(grid, number)
  return upload.size !== null || maxFileSize === null
    ? length
    : Math.min(length, maxFileSize - chunkStart(grid, number))
}

async function fill({ body }: Append, intake: ChunkIntake, first: readonly Buffer[]): Promise<void> {
  let buffers: readonly Buffer[] | null = first
  while (buffers !== null) {
    await intake.take(buffers)
    buffers = intake.remaining > 0 ? await body.reader.next(intake.remaining) : null
  }
}

/**
 * The chunk is full. Killed before the record, only bytes that nobody was told of are lost; after it a merge finds the
 * chunk. The last chunk brings `completing` with it, so that an upload whose client goes now is finished all the same.
 */
async function finish(
  work: Append,
  upload: Upload,
  number: number,
  intake: ChunkIntake,
  writer: ChunkWriter,
): Promise<Upload> {
  const { context, id, lock } = work
  const entry: ChunkEntry = { number, size: intake.length, sha256: intake.digest(), at: context.options.now() }
  await writer.finish(entry)
  const changes: Change[] = [{ type: 'chunk', entry }]
  if (isLastMissing(upload, number) && (await isRecordedCompleting(work))) changes.push({ type: 'completing' })
  context.tailHashes.drop(id)
  return commit(context, upload, changes, lock)
}

/** Whether nothing but this chunk is missing. Counted first: it is asked for every chunk. */
function isLastMissing(upload: Upload, number: number): boolean {
  const grid = gridOf(upload)
  if (upload.ledger.chunks.size + 1 !== chunkCount(grid)) return false
  const [first, ...others] = upload.ledger.missing(grid)
  return others.length === 0 && first !== undefined && first[0] === number && first[1] === number
}

/** What goes wrong here goes wrong again when the file is made, and is told then: the chunk itself is stored. */
async function isRecordedCompleting({ context, id }: Append): Promise<boolean> {
  try {
    await context.storage.record(id, { type: 'completing' })
    return true
  } catch {
    return false
  }
}

/** The body ends in mid-chunk, in whatever way: what was received becomes the tail. */
async function suspend(
  work: Append,
  upload: Upload,
  number: number,
  intake: ChunkIntake,
  writer: ChunkWriter,
): Promise<Upload> {
  const { context, id, lock } = work
  const tail: Tail = { number, size: intake.position, sha256: intake.digest() }
  await writer.suspend(tail)
  context.tailHashes.keep(id, tail, intake.hash)
  return commit(context, upload, [{ type: 'tail', tail }], lock)
}

async function compare(work: Append, upload: Upload, durable: ChunkEntry, intake: ChunkIntake): Promise<void> {
  const expected = intake.remaining === 0 ? durable.sha256 : await durableDigest(work, upload, durable, intake.position)
  if (intake.digest() === expected) return
  throw new UploadError('CHUNK_CONFLICT', {
    message: `Other bytes are already stored at offset ${chunkStart(gridOf(upload), durable.number)}. Nothing was changed.`,
    details: { chunkNumber: durable.number },
  })
}

/** SHA-256 of the first `size` bytes of a durable chunk, read back. */
async function durableDigest({ context }: Append, upload: Upload, durable: ChunkEntry, size: number): Promise<string> {
  const start = chunkStart(gridOf(upload), durable.number)
  const hash: Hash = await hashOf(context.storage.read(upload, start, start + size))
  return hash.digest('hex')
}
