import type { Hash } from 'node:crypto'
import type { BodySource } from '../body/bodies.ts'
import { ChunkIntake } from '../body/chunk-intake.ts'
import { isUploadError, UploadError } from '../errors.ts'
import { chunkAt, chunkCount, chunkLength, chunkStart } from '../grid.ts'
import type { ChunkEntry, Tail } from '../ledger.ts'
import type { UploadLock } from '../locks/locker.ts'
import type { ChunkRoom, ChunkWriter, Hold } from '../storage/storage.ts'
import { gridOf, type Change, type Upload } from '../upload.ts'
import type { ChunksInFlight } from './chunks-in-flight.ts'
import type { Context } from './context.ts'
import { commit, fresh, learn } from './records.ts'
import { hashOf } from './tail-hashes.ts'

/** One append under way. */
export interface Append {
  readonly context: Context
  readonly id: string
  readonly body: BodySource
  readonly lock: UploadLock
  readonly inFlight: ChunksInFlight
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
    const intake = new ChunkIntake({ length, position: from, hash, writer: null })
    await fill(work, intake, place.first)
    await compare(work, upload, durable, intake)
    return start + intake.position
  }
  const writer = await context.storage.beginChunk(upload, number, from, roomFor(work, place))
  const intake = new ChunkIntake({ length, position: from, hash, writer })
  try {
    await fill(work, intake, place.first)
  } catch (error) {
    await writer.abort()
    throw error
  }
  // A chunk of unknown last length is full only at the grid's own size.
  if (intake.position < chunkLength(grid, number)) await suspend(work, upload, number, intake, writer)
  else if (mayBeLastMissing(work, upload)) await finishAfterOthers(work, upload, number, intake, writer)
  else inFlight.add((before) => finish(work, upload, number, intake, writer, { before }))
  return start + intake.position
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
  number: number,
  intake: ChunkIntake,
  writer: ChunkWriter,
  { before = Promise.resolve(), isLast = false }: FinishOptions,
): Promise<void> {
  const { context, id, lock } = work
  const received: ChunkEntry = { number, size: intake.length, sha256: intake.digest(), at: context.options.now() }
  context.tailHashes.drop(id)
  await mustHold(lock, writer)
  const entry = await store(context, writer, received, before)
  const changes: Change[] = [{ type: 'chunk', entry }]
  if (isLast && (await isRecordedCompleting(work))) changes.push({ type: 'completing' })
  // The first stays: where a lease has failed, another may have been there with other bytes.
  try {
    if (await isOther(work, await commit(context, upload, changes, lock), entry)) throw conflict(upload, number)
  } catch (error) {
    if (isUploadError(error) && error.code === 'UPLOAD_LOCKED') await isOther(work, await fresh(context, id), entry)
    throw error
  }
  await lock.giveBack(number)
}

/** Whether other bytes are recorded for a chunk that was stored; then no recovery may take these for it. */
async function isOther({ context }: Append, upload: Upload, entry: ChunkEntry): Promise<boolean> {
  const first = upload.ledger.chunks.get(entry.number)
  if (first === undefined || first.sha256 === entry.sha256) return false
  await context.storage.defend(upload, first)
  return true
}

/** Stores a chunk and awaits the one before it, where each is sent on its own beside it; else after it. */
async function store(
  { storage }: Context,
  writer: ChunkWriter,
  received: ChunkEntry,
  before: Promise<void>,
): Promise<ChunkEntry> {
  if (storage.holdsChunks) {
    // Both to their end, whatever comes of them: the lock is given back only when nothing is under way.
    const [earlier, stored] = await Promise.allSettled([before, writer.finish(received)])
    if (earlier.status === 'rejected') throw earlier.reason
    if (stored.status === 'rejected') throw stored.reason
    return stored.value
  }
  try {
    await before
  } catch (error) {
    await writer.abort()
    throw error
  }
  return writer.finish(received)
}

/** Whether nothing may be missing but this chunk and those that are being stored: only counted, it is asked for every chunk. */
function mayBeLastMissing({ inFlight }: Append, upload: Upload): boolean {
  const count = chunkCount(gridOf(upload))
  return count !== null && upload.ledger.chunks.size + inFlight.size + 1 >= count
}

/** The chunk that may fill the ledger comes when all others are recorded: only then it is seen to be the last. */
async function finishAfterOthers(
  work: Append,
  upload: Upload,
  number: number,
  intake: ChunkIntake,
  writer: ChunkWriter,
): Promise<void> {
  let now: Upload
  try {
    await work.inFlight.stored()
    now = await fresh(work.context, work.id)
  } catch (error) {
    await writer.abort()
    throw error
  }
  await finish(work, now, number, intake, writer, { isLast: isLastMissing(now, number) })
}

/** Whether nothing but this chunk is missing. */
function isLastMissing(upload: Upload, number: number): boolean {
  const grid = gridOf(upload)
  const [first, ...others] = upload.ledger.missing(grid)
  return others.length === 0 && first !== undefined && first[0] === number && first[1] === number
}

/** What goes wrong here goes wrong again when the file is made, and is told then: the chunk itself is stored. */
async function isRecordedCompleting({ context, id }: Append): Promise<boolean> {
  // The hook is asked first, and that takes as long as it takes.
  if (context.options.beforeComplete !== null) return false
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
): Promise<void> {
  const { context, id, inFlight, lock } = work
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
