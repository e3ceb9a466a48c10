import type { Hash } from 'node:crypto'
import type { BodySource } from '../body/bodies.ts'
import { ChunkIntake } from '../body/chunk-intake.ts'
import type { DigestFeed } from '../checksum/digest-feed.ts'
import { isUploadError, UploadError } from '../errors.ts'
import { chunkAt, chunkCount, chunkLength, chunkStart } from '../grid.ts'
import type { ChunkEntry, Tail } from '../ledger.ts'
import type { UploadLock } from '../locks/locker.ts'
import type { ChunkRoom, ChunkWriter, Hold } from '../storage/storage.ts'
import { gridOf, type Change, type Upload } from '../upload.ts'
import type { ChunksInFlight } from './chunks-in-flight.ts'
import type { Context } from './context.ts'
import { commit, fresh, learn } from './records.ts'
import { agrees, chunkChange, type StoredBytes, tailOf } from './stored-chunk.ts'
import { hashOf } from './tail-hashes.ts'

/** One append under way. */
export interface Append {
  readonly context: Context
  readonly id: string
  readonly body: BodySource
  readonly lock: UploadLock
  readonly inFlight: ChunksInFlight
  /** Who hashes the same bytes for the digest of the file. */
  readonly feed: DigestFeed | null
  /** Whether who appends may also complete. */
  readonly mayComplete: (upload: Upload) => Promise<boolean>
}

/** Where an append goes on. */
export interface AppendPlace {
  /** Offset in the file of the first byte given, bytes. */
  readonly position: number
  /** The bytes already read of the body; all in one chunk. */
  readonly first: readonly Buffer[]
  /** Room for the rest of the chunk or of the body, where the storage holds chunks. It is dropped by whoever writes it. */
  readonly hold: Hold | null
}

/**
 * Takes the body into the chunk at `position`, to the chunk's end or the body's. The chunk is held. Where it is durable
 * already the bytes are compared with it, else they are written: the rest of the chunk, or the tail. A chunk that has come
 * to its end is stored while the next is received; a tail is recorded when this returns. Returns where the body goes on.
 */
export async function appendToChunk(work: Append, upload: Upload, place: AppendPlace): Promise<number> {
  const { context, inFlight } = work
  const grid = gridOf(upload)
  const number = chunkAt(grid, place.position)
  const start = chunkStart(grid, number)
  const from = place.position - start
  const durable = upload.ledger.chunks.get(number)
  if (durable !== undefined && from > 0 && !context.storage.readsUnfinished) throw cannotCompare()
  const hash = await context.tailHashes.resume(context.storage, upload, number, from)
  const length = durable?.size ?? cappedLength(work, upload, number)
  if (durable !== undefined) {
    await place.hold?.drop()
    work.feed?.end()
    const intake = new ChunkIntake({ length, position: from, hash, writer: null })
    await fill(work, intake, place.first)
    await compare(work, upload, durable, intake)
    return start + intake.position
  }
  const follows = tailOf(upload, number)
  const writer = await context.storage.beginChunk(upload, number, from, roomFor(work, place))
  const intake = new ChunkIntake({ length, position: from, hash, writer, feed: work.feed })
  try {
    await fill(work, intake, place.first)
  } catch (error) {
    await writer.abort()
    throw error
  }
  // A chunk of unknown last length is full only at the grid's own size.
  if (intake.position < chunkLength(grid, number)) await suspend(work, upload, number, intake, writer)
  else {
    work.feed?.endChunk()
    const whole: WholeChunk = { number, intake, writer, follows, hold: place.hold }
    if (mayBeLastMissing(work, upload)) await finishAfterOthers(work, upload, whole)
    else inFlight.add((before) => finish(work, upload, whole, { before }))
  }
  return start + intake.position
}

/** A chunk that has come to its end, and is not stored yet. */
interface WholeChunk {
  readonly number: number
  readonly intake: ChunkIntake
  readonly writer: ChunkWriter
  /** The tail it goes on from. */
  readonly follows: Tail | null
  readonly hold: Hold | null
}

/** A writer's part of what the body may hold: another may still be storing the chunk before. */
function roomFor({ body }: Append, { hold }: AppendPlace): ChunkRoom {
  return { memory: (body.share() * 3) / 8, ...(hold === null ? {} : { hold }) }
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

interface FinishOptions {
  /** What becomes of the chunk before, which is being stored. */
  readonly before?: Promise<void>
  /** Whether nothing else is missing. */
  readonly isLast?: boolean
}

/**
 * The chunk is full. Killed before the record, only bytes that nobody was told of are lost; after it a merge finds the
 * chunk. The last chunk brings `completing` with it, so that an upload whose client goes now is finished all the same.
 */
async function finish(
  work: Append,
  upload: Upload,
  chunk: WholeChunk,
  { before = Promise.resolve(), isLast = false }: FinishOptions,
): Promise<void> {
  const { context, id, lock } = work
  const { number, intake, writer, follows, hold } = chunk
  const received: ChunkEntry = { number, size: intake.length, sha256: intake.digest(), at: context.options.now() }
  context.tailHashes.drop(id)
  await mustHold(lock, writer)
  try {
    // Where each is sent on its own they are stored beside each other, and recorded in order; else one after the other.
    if (!context.storage.holdsChunks) await orAbort(writer, before)
    const [earlier, end] = await Promise.allSettled([before, writer.finish(received)])
    if (end.status === 'rejected') throw earlier.status === 'rejected' ? earlier.reason : end.reason
    const stored: StoredBytes = { entry: end.value, follows, begun: intake.begun, hold }
    await recordStored(work, upload, stored, { before, isLast })
  } finally {
    await hold?.drop()
  }
  await lock.giveBack(number)
}

async function orAbort(writer: ChunkWriter, before: Promise<void>): Promise<void> {
  try {
    await before
  } catch (error) {
    await writer.abort()
    throw error
  }
}

/**
 * Records a stored chunk, if the one before it was. The first stays: where a lease has failed, another may have been there
 * with other bytes.
 */
async function recordStored(
  work: Append,
  upload: Upload,
  stored: StoredBytes,
  { before, isLast }: Required<FinishOptions>,
): Promise<void> {
  const { context, id, lock } = work
  const { number } = stored.entry
  const changes: Change[] = [chunkChange(stored, stored.follows)]
  let now: Upload
  try {
    await before
    if (isLast && (await isRecordedCompleting(work, upload))) changes.push({ type: 'completing' })
    now = await commit(context, upload, changes, lock)
  } catch (error) {
    // Another is here, or was at the chunk before: what was stored may stand in the place of his.
    const isOthers = isUploadError(error) && (error.code === 'UPLOAD_LOCKED' || error.code === 'CHUNK_CONFLICT')
    if (isOthers) await agrees(context, await fresh(context, id), stored)
    throw error
  }
  if (!(await agrees(context, now, stored))) throw conflict(upload, number)
  context.storage.recorded(now, number)
  work.feed?.recorded(stored.entry)
}

/** Whether nothing may be missing but this chunk and those that are being stored: only counted, it is asked for every chunk. */
function mayBeLastMissing({ inFlight }: Append, upload: Upload): boolean {
  const count = chunkCount(gridOf(upload))
  return count !== null && upload.ledger.chunks.size + inFlight.size + 1 >= count
}

/** The chunk that may fill the ledger comes when all others are recorded: only then it is seen to be the last. */
async function finishAfterOthers(work: Append, upload: Upload, chunk: WholeChunk): Promise<void> {
  let now: Upload
  try {
    await work.inFlight.stored()
    now = await fresh(work.context, work.id)
  } catch (error) {
    await chunk.writer.abort()
    throw error
  }
  await finish(work, now, chunk, { isLast: isLastMissing(now, chunk.number) })
}

/** Whether nothing but this chunk is missing. */
function isLastMissing(upload: Upload, number: number): boolean {
  const grid = gridOf(upload)
  const [first, ...others] = upload.ledger.missing(grid)
  return others.length === 0 && first !== undefined && first[0] === number && first[1] === number
}

/**
 * Asked again whether the client may: it was let in when its body began. What goes wrong here goes wrong again when the
 * file is made, and is told then: the chunk itself is stored.
 */
async function isRecordedCompleting({ context, id, mayComplete }: Append, upload: Upload): Promise<boolean> {
  // The hook is asked first, and that takes as long as it takes.
  if (context.options.beforeComplete !== null) return false
  try {
    if (!(await mayComplete(upload))) return false
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
): Promise<void> {
  const { context, id, inFlight, lock, feed } = work
  try {
    // A tail continues the run: what comes before it is recorded first.
    await inFlight.stored()
  } catch (error) {
    await writer.abort()
    throw error
  }
  await mustHold(lock, writer)
  const tail: Tail = { number, size: intake.position, sha256: intake.digest() }
  try {
    await writer.suspend(tail)
  } catch (error) {
    // Storage has gone on from there, and nobody here knows it yet: the client is told how far it is when it asks.
    if (isUploadError(error) && error.code === 'UPLOAD_LOCKED') await learn(context, id)
    throw error
  }
  context.tailHashes.keep(id, tail, intake.hash)
  const { ledger } = await commit(context, upload, [{ type: 'tail', tail }], lock)
  // Where a lease has failed another may have been faster, with whatever bytes: its client is told no more than that.
  if (ledger.tail?.number !== number || ledger.tail.sha256 !== tail.sha256) throw cannotCompare()
  feed?.suspended(tail)
}

/** Where a lock was lost another may be at these bytes, or past them: what he is told of must stand, so they are dropped. */
async function mustHold(lock: UploadLock, writer: ChunkWriter): Promise<void> {
  if (lock.held) return
  await writer.abort()
  throw new UploadError('UPLOAD_LOCKED')
}

async function compare(work: Append, upload: Upload, durable: ChunkEntry, intake: ChunkIntake): Promise<void> {
  if (intake.remaining > 0 && !work.context.storage.readsUnfinished) throw cannotCompare()
  const expected = intake.remaining === 0 ? durable.sha256 : await durableDigest(work, upload, durable, intake.position)
  if (intake.digest() !== expected) throw conflict(upload, durable.number)
}

function conflict(upload: Upload, chunkNumber: number): UploadError {
  return new UploadError('CHUNK_CONFLICT', {
    message: `Other bytes are already stored at offset ${chunkStart(gridOf(upload), chunkNumber)}. Nothing was changed.`,
    details: { chunkNumber },
  })
}

/** Object storage does not give back the parts of an upload: only whole chunks are compared, by their digests. */
function cannotCompare(): UploadError {
  return new UploadError('UPLOAD_LOCKED', {
    message: 'What follows is stored already, by another client. Ask for the offset and go on from there.',
  })
}

/** SHA-256 of the first `size` bytes of a durable chunk, read back. */
async function durableDigest({ context }: Append, upload: Upload, durable: ChunkEntry, size: number): Promise<string> {
  const start = chunkStart(gridOf(upload), durable.number)
  const hash: Hash = await hashOf(context.storage.read(upload, start, start + size))
  return hash.digest('hex')
}
