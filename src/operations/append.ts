import type { Readable } from 'node:stream'
import type { Caller } from '../access.ts'
import type { LiveBody } from '../body/bodies.ts'
import { UploadError } from '../errors.ts'
import { chunkAt, chunkCount, chunkStart } from '../grid.ts'
import type { UploadLock } from '../locks/locker.ts'
import { gridOf, isOpen, type Upload } from '../upload.ts'
import { appendToChunk, type Append } from './append-chunk.ts'
import { ChunksInFlight } from './chunks-in-flight.ts'
import { completeIfFull, type Settled } from './complete.ts'
import type { Context } from './context.ts'
import { authorised } from './authorised.ts'
import { healing } from './heal.ts'
import { commit, fresh, lockUpload, recover, speedometerOf, there } from './records.ts'

/** A body to append. */
export interface AppendInput {
  /** Where the client believes the upload ends, bytes. */
  readonly offset: number
  /** The body as it comes from the socket: nothing else may read it. */
  readonly body: Readable
  /** Bytes the body says it has (Content-Length), or null. */
  readonly contentLength: number | null
  /** The length of the file, where this request declares it. */
  readonly declaredSize?: number
  /** Aborts when the client has gone. */
  readonly signal?: AbortSignal
}

/** How many chunks of one append are received or stored at a time. */
const IN_FLIGHT = 2
/** The same where each is sent on its own, over a network. */
const HELD_IN_FLIGHT = 5

/** See {@link Uploads.append}. */
export async function append(context: Context, id: string, input: AppendInput, caller: Caller): Promise<Settled> {
  // What another face has filled is completed first: until then no offset equal to the length may be told.
  const { upload } = await completeIfFull(context, there(await authorised(context, id, 'write', caller)))
  const body = context.bodies.open(input.body, input.signal)
  try {
    // Before any lock: whoever holds one never waits for memory.
    await body.admit()
    if (input.declaredSize !== undefined && upload.size === null) {
      // Whoever is appending lets go first; then chunks under way end, which may be whole only until a length is known.
      await (await lockAppend(context, id, body)).lock.release()
      await declareSize(context, id, input, input.declaredSize, body)
    }
    const { lock, upload: now } = await lockAppend(context, id, body)
    let appended: Upload
    try {
      appended = await healing(context, id, () => appendUnderLock(context, now, input, body, lock))
    } finally {
      await lock.release()
    }
    return await completeIfFull(context, appended)
  } finally {
    body.close()
  }
}

function lockAppend(context: Context, id: string, body: LiveBody): ReturnType<typeof lockUpload> {
  return lockUpload(context, id, {
    scope: { kind: 'append' },
    waitMs: context.options.lockWaitMs,
    ask: true,
    signal: body.gone,
    onAsked: () => body.stop(),
    // What has been received is of no use to anybody any more: another may be writing it already.
    onLost: () => body.stop(),
  })
}

async function appendUnderLock(
  context: Context,
  known: Upload,
  input: AppendInput,
  body: LiveBody,
  lock: UploadLock,
): Promise<Upload> {
  const { id } = known.manifest
  const upload = await checked(context, known, input)
  if (!isOpen(upload)) {
    if ((await body.reader.next(1)) !== null) throw tooLarge(upload.size ?? input.offset)
    return upload
  }
  speedometerOf(context, upload).sample(context.options.now(), upload.ledger.durableBytes)
  const inFlight = new ChunksInFlight(context.storage.holdsChunks ? HELD_IN_FLIGHT : IN_FLIGHT)
  try {
    return await receive({ context, id, body, lock, inFlight }, upload, input)
  } finally {
    // The lock is given back only after every write under it has settled.
    await inFlight.settled()
  }
}

/** The upload, if what the request says of it is so. Under a lock. */
async function checked(context: Context, known: Upload, input: AppendInput): Promise<Upload> {
  let upload = known
  if (input.offset > upload.ledger.offset(gridOf(upload))) {
    // The client was told of more than is known here: state has forgotten, storage has not.
    upload = there((await recover(context, upload.manifest.id)) ?? upload)
  }
  const offset = upload.ledger.offset(gridOf(upload))
  if (input.offset !== offset) {
    if (upload.status !== 'uploaded' && upload.ledger.isFull(gridOf(upload))) throw new UploadError('UPLOAD_LOCKED')
    throw new UploadError('OFFSET_MISMATCH', {
      message: `Upload-Offset is ${input.offset}; this upload is at ${offset}.`,
      details: { offset },
    })
  }
  checkDeclared(upload, input.declaredSize)
  checkRoom(context, upload, input)
  return upload
}

/** @throws UploadError `FILE_TOO_LARGE` before a byte is taken, where the body says how long it is */
function checkRoom(context: Context, upload: Upload, input: AppendInput): void {
  const { maxFileSize } = context.options
  const size = input.declaredSize ?? upload.size
  if (maxFileSize !== null && input.declaredSize !== undefined && input.declaredSize > maxFileSize)
    throw tooLarge(maxFileSize)
  const end = input.offset + (input.contentLength ?? 0)
  const most = size ?? deferredCap(context, upload)
  if (end > most) throw tooLarge(most)
}

function deferredCap(context: Context, upload: Upload): number {
  return Math.min(context.options.maxFileSize ?? Infinity, upload.manifest.chunkSize * context.options.limits.maxChunks)
}

function tooLarge(max: number): UploadError {
  return new UploadError('FILE_TOO_LARGE', {
    message: `This upload takes at most ${max} bytes.`,
    details: { max },
  })
}

/** Takes a deferred length, where nobody is at the upload: no chunk under way is of the size that was true before. */
async function declareSize(
  context: Context,
  id: string,
  input: AppendInput,
  size: number,
  body: LiveBody,
): Promise<void> {
  const { options, storage } = context
  const whole = { scope: { kind: 'whole' }, waitMs: options.lockWaitMs, signal: body.gone } as const
  const { lock, upload: known } = await lockUpload(context, id, whole)
  try {
    const upload = await checked(context, known, input)
    if (upload.size !== null) return
    const { maxChunks } = options.limits
    const { chunkSize } = upload.manifest
    if ((chunkCount({ chunkSize, size }) ?? 0) > maxChunks) throw tooLarge(chunkSize * maxChunks)
    const change = { type: 'length', size, at: options.now() } as const
    await storage.record(id, change)
    await commit(context, upload, [change], lock)
  } finally {
    await lock.release()
  }
}

function checkDeclared(upload: Upload, size: number | undefined): void {
  if (size === undefined || size === upload.size) return
  if (upload.size !== null || size < upload.ledger.extent(gridOf(upload))) {
    throw new UploadError('INVALID_REQUEST', {
      message:
        upload.size === null
          ? `Upload-Length is ${size}; more than that is stored already.`
          : `The length of this upload is ${upload.size} and cannot be changed.`,
      details: { field: 'Upload-Length' },
    })
  }
}

/** Takes the body in, chunk by chunk; every byte received is durable and recorded when it returns or throws. */
async function receive(work: Append, begun: Upload, input: AppendInput): Promise<Upload> {
  const { context, id, body, lock, inFlight } = work
  const { reader } = body
  let upload = begun
  let position = input.offset
  const end = input.contentLength === null ? Infinity : input.offset + input.contentLength
  for (;;) {
    const most = upload.size ?? deferredCap(context, upload)
    const number = chunkAt(gridOf(upload), position)
    const room = Math.min(chunkStart(gridOf(upload), number + 1), most) - position
    // The chunk is taken only when a byte for it is here: an idle writer must not keep others from the next chunk.
    const first = await reader.next(Math.max(1, room))
    if (first === null) break
    if (room <= 0) throw tooLarge(most)
    // What a client that has gone has sent is kept all the same, if the chunk is free.
    const patience = body.gone.aborted ? { waitMs: 0 } : { waitMs: context.options.lockWaitMs, signal: body.gone }
    // Before the chunk, too: what is held already goes on to storage whatever this waits for.
    const hold = context.storage.holdsChunks ? await body.hold(Math.min(room, end - position)) : null
    try {
      await lock.moveTo(number, { ...patience, keep: inFlight.size > 0 })
      upload = await fresh(context, id)
      position = await appendToChunk(work, upload, { position, first, hold })
    } catch (error) {
      await hold?.drop()
      throw error
    }
    await inFlight.room()
  }
  await inFlight.stored()
  if (reader.end === 'complete') return fresh(context, id)
  if (reader.end === 'stalled') throw new UploadError('TIMEOUT')
  if (body.draining()) throw new UploadError('DRAINING')
  throw new UploadError('UPLOAD_LOCKED', {
    message: 'Another request wants this upload. What was received is kept; resume.',
  })
}
