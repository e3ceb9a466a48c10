import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Caller } from '../access.ts'
import type { LiveBody } from '../body/bodies.ts'
import { ChunkIntake } from '../body/chunk-intake.ts'
import type { DigestFeed } from '../checksum/digest-feed.ts'
import { BodyChecksums, verifyChecksums, type DeclaredChecksums } from '../checksum/body-checksum.ts'
import { mustTakeBytes } from '../concatenation.ts'
import { isUploadError, UploadError } from '../errors.ts'
import { chunkCount, chunkLength, chunkStart, isChunkNumber } from '../grid.ts'
import type { ChunkEntry } from '../ledger.ts'
import type { LockRequest, UploadLock } from '../locks/locker.ts'
import type { Hold } from '../storage/storage.ts'
import { gridOf, isOpen, type Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { authorised } from './authorised.ts'
import { healing } from './heal.ts'
import { feedDigest, wantsDigest } from './keep-digest.ts'
import { reserveAhead } from './quota.ts'
import { commit, fresh, lockUpload, speedometerOf, there } from './records.ts'
import { agrees, chunkChange, type StoredBytes, tailOf } from './stored-chunk.ts'

/** One chunk as a client sends it. */
export interface ChunkInput {
  /** From 0. */
  readonly number: number
  /** The body as it comes from the socket: nothing else may read it. */
  readonly body: Readable
  /** Bytes the body says it has (Content-Length), or null. */
  readonly contentLength: number | null
  /** What the body must have, or nothing of it is kept. Those that come after it are of `sha256` and `sha512`. */
  readonly checksums?: DeclaredChecksums
  /** Aborts when the client has gone. */
  readonly signal?: AbortSignal
}

/** A stored chunk, and the upload after it. */
export interface StoredChunk {
  readonly entry: ChunkEntry
  readonly upload: Upload
}

/** See {@link Uploads.putChunk}. */
export async function putChunk(context: Context, id: string, input: ChunkInput, caller: Caller): Promise<StoredChunk> {
  const upload = await placed(context, id, input, caller)
  const body = context.bodies.open(input.body, input.signal, 'chunk')
  try {
    // Before any lock: whoever holds one never waits for memory.
    await body.admit()
    const durable = upload.ledger.chunks.get(input.number)
    if (durable !== undefined) return await resent(context, upload, durable, input, body)
    if (!isOpen(upload)) throw new UploadError('UPLOAD_COMPLETED')
    return await store(context, upload, input, body)
  } finally {
    body.close()
  }
}

/**
 * The upload, if this chunk has a place in it. What this process saw last will do to let it in: it is looked at again
 * under the lock. It will not do to refuse it: a length may have been declared elsewhere.
 */
async function placed(context: Context, id: string, input: ChunkInput, caller: Caller): Promise<Upload> {
  const seen = await authorised(context, id, 'write', caller, { recent: true })
  mustTakeBytes(seen)
  try {
    checkPlace(context, there(seen), input)
    return seen
  } catch (error) {
    if (!isUploadError(error)) throw error
    const now = await fresh(context, id)
    checkPlace(context, now, input)
    return now
  }
}

function checkPlace(context: Context, upload: Upload, input: ChunkInput): void {
  const grid = gridOf(upload)
  const { maxChunks } = context.options.limits
  if (!isChunkNumber(grid, input.number, maxChunks)) {
    const count = chunkCount(grid) ?? maxChunks
    throw new UploadError('INVALID_CHUNK_NUMBER', {
      message:
        count === 0
          ? 'This file has no chunks: complete it.'
          : `Chunk ${input.number} does not exist: this upload has the chunks 0 to ${count - 1}.`,
      details: { chunkNumber: input.number, totalChunks: chunkCount(grid) },
    })
  }
  const length = chunkLength(grid, input.number)
  const { maxFileSize } = context.options
  if (upload.size === null && maxFileSize !== null && input.number * grid.chunkSize + length > maxFileSize) {
    throw new UploadError('FILE_TOO_LARGE', { details: { max: maxFileSize } })
  }
  if (input.contentLength !== null && input.contentLength !== length)
    throw sizeMismatch(input, length, input.contentLength)
}

/** A durable chunk that comes again. While it came the upload may have been cancelled, or expired. */
async function resent(
  context: Context,
  upload: Upload,
  durable: ChunkEntry,
  input: ChunkInput,
  body: LiveBody,
): Promise<StoredChunk> {
  const intake = new ChunkIntake({ length: durable.size, position: 0, hash: createHash('sha256'), writer: null })
  await receive(intake, input, body)
  // While it came storage may have lost the chunk (a failed fsync), or another node may have found that it had.
  const now = await fresh(context, upload.manifest.id)
  if (!now.ledger.chunks.has(input.number)) throw new UploadError('UPLOAD_LOCKED')
  // The same bytes for a durable chunk are no error, whatever the state; other bytes change nothing.
  return standing({ ...durable, sha256: intake.digest() }, now)
}

async function store(context: Context, seen: Upload, input: ChunkInput, body: LiveBody): Promise<StoredChunk> {
  await reserveAhead(context, seen, chunkStart(gridOf(seen), input.number + 1))
  // Before the lock, too.
  const hold = context.storage.holdsChunks ? await body.hold(chunkLength(gridOf(seen), input.number), 0) : null
  try {
    return await storeHeld(context, seen.manifest.id, input, body, hold)
  } finally {
    await hold?.drop()
  }
}

async function storeHeld(
  context: Context,
  id: string,
  input: ChunkInput,
  body: LiveBody,
  hold: Hold | null,
): Promise<StoredChunk> {
  let asked = false
  const { lock, upload } = await lockUpload(context, id, {
    ...chunkLock(context, input.number),
    signal: body.gone,
    onAsked: () => {
      asked = true
      body.stop()
    },
  })
  try {
    return await healing(context, id, () => storeUnderLock(context, upload, input, body, lock, hold))
  } catch (error) {
    if (!asked) throw error
    await lock.release()
    throw await afterAsked(context, id, input.number)
  } finally {
    await lock.release()
  }
}

function chunkLock({ options }: Context, number: number): LockRequest {
  return { scope: { kind: 'chunk', number }, waitMs: options.lockWaitMs }
}

async function storeUnderLock(
  context: Context,
  upload: Upload,
  input: ChunkInput,
  body: LiveBody,
  lock: UploadLock,
  hold: Hold | null,
): Promise<StoredChunk> {
  // A deferred length may have been declared while this request waited: its place is checked again.
  checkPlace(context, upload, input)
  const durable = upload.ledger.chunks.get(input.number)
  if (durable !== undefined) {
    // Nothing is written: a slow repetition must not keep the upload from being completed.
    await lock.release()
    return resent(context, upload, durable, input, body)
  }
  if (!isOpen(upload)) throw new UploadError('UPLOAD_COMPLETED')
  speedometerOf(context, upload).sample(context.options.now(), upload.ledger.durableBytes)
  const feed = feedDigest(context, upload, chunkStart(gridOf(upload), input.number))
  try {
    const stored = await receiveAndStore(context, upload, input, { body, lock, hold, feed })
    feed?.recorded(stored.entry)
    // The client will ask for the checksum with `complete`: what can be read back now is not waited for then.
    if (context.storage.readsUnfinished && wantsDigest(context, stored.upload)) context.digests.advance(stored.upload)
    return stored
  } finally {
    feed?.end()
  }
}

interface Receipt {
  readonly body: LiveBody
  readonly lock: UploadLock
  readonly hold: Hold | null
  readonly feed: DigestFeed | null
}

async function receiveAndStore(
  context: Context,
  upload: Upload,
  input: ChunkInput,
  { body, lock, hold, feed }: Receipt,
): Promise<StoredChunk> {
  const tail = tailOf(upload, input.number)
  const room = { memory: (body.share() * 3) / 4, ...(hold === null ? {} : { hold }) }
  const writer = await context.storage.beginChunk(upload, input.number, tail?.size ?? 0, room)
  const length = chunkLength(gridOf(upload), input.number)
  const intake = new ChunkIntake({ length, position: 0, hash: createHash('sha256'), writer, feed, tail })
  let received: ChunkEntry
  try {
    await receive(intake, input, body)
    received = { number: input.number, size: length, sha256: intake.digest(), at: context.options.now() }
    // Another may have stored the chunk since the lock was lost: what his client was told must stand.
    if (!lock.held) throw new UploadError('UPLOAD_LOCKED')
  } catch (error) {
    await writer.abort()
    throw error
  }
  feed?.endChunk()
  // Killed before this, the chunk was never there; after it, storage has it and a merge finds it; the client is told last.
  const entry = await writer.finish(received)
  const stored = await record(context, upload, { entry, follows: tail, begun: intake.begun, hold }, lock)
  context.storage.recorded(stored.upload, input.number)
  return stored
}

/**
 * Records a chunk that storage has. Where the lock was lost meanwhile (its keeper was flushed, or failed over) the chunk is
 * true all the same: it is recorded under another lock, if the upload still wants it, and if it is of the same bytes as
 * whatever was acknowledged of its place meanwhile.
 */
async function record(context: Context, upload: Upload, stored: StoredBytes, lost: UploadLock): Promise<StoredChunk> {
  const { entry, follows } = stored
  try {
    const changes = [chunkChange(stored, follows)]
    return await recorded(context, stored, await commit(context, upload, changes, lost, { release: true }))
  } catch (error) {
    if (!isUploadError(error) || error.code !== 'UPLOAD_LOCKED') throw error
  }
  // Where it was not lost, it is the tail that was not the one that was known.
  await lost.release()
  const { lock, upload: now } = await lockUpload(context, upload.manifest.id, chunkLock(context, entry.number))
  try {
    if (now.ledger.chunks.has(entry.number)) return await recorded(context, stored, now)
    if (!(await agrees(context, now, stored))) throw conflict(entry.number, { receivedChecksum: entry.sha256 })
    const changes = [chunkChange(stored, tailOf(now, entry.number))]
    return await recorded(context, stored, await commit(context, now, changes, lock, { release: true }))
  } finally {
    await lock.release()
  }
}

/** The same after it was stored: where another's stands, ours may have come over it, and no recovery may take it for his. */
async function recorded(context: Context, stored: StoredBytes, upload: Upload): Promise<StoredChunk> {
  await agrees(context, upload, stored)
  return standing(stored.entry, upload)
}

/** The entry that stands for a stored chunk: the first, be it another's. @throws UploadError `CHUNK_CONFLICT` */
function standing({ number, sha256 }: ChunkEntry, upload: Upload): StoredChunk {
  const entry = upload.ledger.chunks.get(number)
  if (entry?.sha256 === sha256) return { entry, upload }
  throw conflict(number, { storedChecksum: entry?.sha256 ?? '', receivedChecksum: sha256 })
}

/** Reads the body to its end, which must be the chunk's, with the declared checksums. */
async function receive(intake: ChunkIntake, input: ChunkInput, body: LiveBody): Promise<void> {
  const { reader } = body
  const sums = beside(input.checksums)
  for (;;) {
    // One byte more than fits is asked for, so that a body that is too long is seen.
    const buffers = await reader.next(intake.remaining + 1)
    if (buffers === null) break
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    if (bytes > intake.remaining) throw sizeMismatch(input, intake.length, null)
    sums.update(buffers)
    await intake.take(buffers)
  }
  if (reader.end === 'stopped') throw new UploadError(body.draining() ? 'DRAINING' : 'UPLOAD_LOCKED')
  if (reader.end !== 'complete')
    throw new UploadError('TIMEOUT', { message: 'The body stopped before its end. Send the chunk again.' })
  if (intake.remaining > 0) throw sizeMismatch(input, intake.length, intake.position)
  const received = intake.digest()
  verify(input, received, sums)
  // Last: bytes that were spoiled on their way are the client's to send again, not in conflict with anything.
  if (intake.differs) throw conflict(input.number, { receivedChecksum: received })
}

/** What is summed up beside the chunk's own SHA-256. Of trailers it is known only at the end what they declare. */
function beside(declared: DeclaredChecksums | undefined): BodyChecksums {
  const algorithms = declared?.before.map(({ algorithm }) => algorithm) ?? []
  if (declared?.after !== undefined && declared.after !== null) algorithms.push('sha512')
  return new BodyChecksums(algorithms.filter((algorithm) => algorithm !== 'sha256'))
}

function verify({ number, checksums }: ChunkInput, sha256: string, sums: BodyChecksums): void {
  if (checksums === undefined) return
  const declared = [...checksums.before, ...(checksums.after?.() ?? [])]
  verifyChecksums(
    declared,
    (algorithm) => (algorithm === 'sha256' ? Buffer.from(sha256, 'hex') : sums.digest(algorithm)),
    { chunkNumber: number },
  )
}

function conflict(chunkNumber: number, details: Readonly<Record<string, string>>): UploadError {
  return new UploadError('CHUNK_CONFLICT', {
    message: `Chunk ${chunkNumber} has other bytes, which are already stored. Nothing was changed.`,
    details: { chunkNumber, ...details },
  })
}

/** What a chunk is told that made way: the outcome of what it made way for. */
async function afterAsked(context: Context, id: string, number: number): Promise<UploadError> {
  try {
    const { lock } = await lockUpload(context, id, chunkLock(context, number))
    await lock.release()
  } catch (error) {
    if (isUploadError(error)) return error
    throw error
  }
  return new UploadError('UPLOAD_LOCKED')
}

function sizeMismatch(input: ChunkInput, expected: number, actual: number | null): UploadError {
  const got = actual === null ? 'more' : `${actual}`
  return new UploadError('CHUNK_SIZE_MISMATCH', {
    message: `Chunk ${input.number} has ${expected} bytes; the body has ${got}.`,
    details: { chunkNumber: input.number, expected, actual },
  })
}
