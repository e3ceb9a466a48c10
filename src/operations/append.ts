import type { Caller } from '../access.ts'
import type { BodySource } from '../body/bodies.ts'
import { mustTakeBytes } from '../concatenation.ts'
import { isUploadError, UploadError } from '../errors.ts'
import { chunkAt, chunkCount, chunkStart } from '../grid.ts'
import { gridOf, isOpen, type Upload } from '../upload.ts'
import { appendToChunk, type Append } from './append-chunk.ts'
import { checkPlace, lockAppend, mostOf, tooLarge, type AppendInput } from './append-place.ts'
import { ChunksInFlight } from './chunks-in-flight.ts'
import { completeIfFull, type Settled } from './complete.ts'
import type { Context } from './context.ts'
import { authorised, mayDo } from './authorised.ts'
import { healing } from './heal.ts'
import { feedDigest } from './keep-digest.ts'
import { reserveAhead, reserveLength } from './quota.ts'
import { commit, fresh, lockUpload, speedometerOf, there } from './records.ts'
import { appendable } from './verified-body.ts'

/** How many chunks of one append are received or stored at a time. */
const IN_FLIGHT = 2
/** The same where each is sent on its own, over a network. */
const HELD_IN_FLIGHT = 5

/** See {@link Uploads.append}. */
export async function append(context: Context, id: string, input: AppendInput, caller: Caller): Promise<Settled> {
  // Its sender knows of the upload: that it may not be completed need not be hidden, and clients do not repeat a 403.
  const completing = (now: Upload): Promise<Settled> => completeIfFull(context, there(now), caller, 'FORBIDDEN')
  const mayComplete = (now: Upload): Promise<boolean> => mayDo(context, now, 'complete', caller)
  const begun = await authorised(context, id, 'write', caller)
  mustTakeBytes(there(begun))
  // What another face has filled is completed first: until then no offset equal to the length may be told.
  const { upload } = await completing(begun)
  const body = context.bodies.open(input.body, input.signal)
  try {
    // Before any lock: whoever holds one never waits for memory.
    await body.admit()
    const { source, drop } = await appendable(context, id, input, body)
    try {
      if (input.declaredSize !== undefined && upload.size === null) {
        // Whoever is appending lets go first; then chunks under way end, which may be whole only until a length is known.
        await (await lockAppend(context, id, source)).lock.release()
        await declareSize(context, id, input, input.declaredSize, source)
      }
      return await completing(await appendLocked({ context, id, body: source, mayComplete }, input))
    } finally {
      await drop()
    }
  } finally {
    body.close()
  }
}

async function appendLocked(begun: Omit<Append, 'feed' | 'inFlight' | 'lock'>, input: AppendInput): Promise<Upload> {
  const { context, id, body } = begun
  const { lock, upload } = await lockAppend(context, id, body)
  try {
    return await healing(context, id, () => appendUnderLock({ ...begun, lock }, upload, input))
  } finally {
    await lock.release()
  }
}

async function appendUnderLock(
  begun: Omit<Append, 'feed' | 'inFlight'>,
  known: Upload,
  input: AppendInput,
): Promise<Upload> {
  const { context, body } = begun
  const upload = await checkPlace(context, known, input)
  if (!isOpen(upload)) {
    if ((await body.reader.next(1)) !== null) throw tooLarge(upload.size ?? input.offset)
    return upload
  }
  speedometerOf(context, upload).sample(context.options.now(), upload.ledger.durableBytes)
  const inFlight = new ChunksInFlight(context.storage.holdsChunks ? HELD_IN_FLIGHT : IN_FLIGHT)
  // Nobody waits for the checksum of what comes this way: where it is cheap to read back, that has time.
  const feed = context.storage.readsUnfinished ? null : feedDigest(context, upload, input.offset)
  try {
    return await receive({ ...begun, inFlight, feed }, upload, input)
  } finally {
    // The lock is given back only after every write under it has settled.
    await inFlight.settled()
    feed?.end()
  }
}

/** Takes a deferred length, where nobody is at the upload: no chunk under way is of the size that was true before. */
async function declareSize(
  context: Context,
  id: string,
  input: AppendInput,
  size: number,
  body: BodySource,
): Promise<void> {
  const { options, storage } = context
  const whole = { scope: { kind: 'whole' }, waitMs: options.lockWaitMs, signal: body.gone } as const
  const { lock, upload: known } = await lockUpload(context, id, whole)
  try {
    const upload = await checkPlace(context, known, input)
    if (upload.size !== null) return
    const { maxChunks } = options.limits
    const { chunkSize } = upload.manifest
    if ((chunkCount({ chunkSize, size }) ?? 0) > maxChunks) throw tooLarge(chunkSize * maxChunks)
    await reserveLength(context, upload, size)
    const change = { type: 'length', size, at: options.now() } as const
    await storage.record(id, change)
    await commit(context, upload, [change], lock)
  } finally {
    await lock.release()
  }
}

/** Reserves room for the chunk at `position`, as far as the body may fill it, where the length is not known. Returns how far. */
async function reservedAhead({ context }: Append, upload: Upload, position: number, end: number): Promise<number> {
  const grid = gridOf(upload)
  const ahead = Math.min(chunkStart(grid, chunkAt(grid, position) + 1), end)
  if (ahead > position) await reserveAhead(context, upload, ahead)
  return ahead
}

/** Takes the chunk that is next. What a client that has gone has sent is kept all the same, if the chunk is free. */
async function takeChunk({ context, body, lock, inFlight }: Append, number: number): Promise<void> {
  const keep = inFlight.size > 0
  try {
    if (!body.gone.aborted) {
      await lock.moveTo(number, { waitMs: context.options.lockWaitMs, signal: body.gone, keep })
      return
    }
  } catch (error) {
    // It may have gone while the lock was on its way.
    if (!body.gone.aborted || !isUploadError(error) || error.code !== 'UPLOAD_LOCKED') throw error
  }
  await lock.moveTo(number, { waitMs: 0, keep })
}

/** Takes the body in, chunk by chunk; every byte received is durable and recorded when it returns or throws. */
async function receive(work: Append, begun: Upload, input: AppendInput): Promise<Upload> {
  const { context, id, body, inFlight } = work
  const { reader } = body
  let upload = begun
  let position = input.offset
  const end = input.contentLength === null ? Infinity : input.offset + input.contentLength
  // Before a byte is read: the first chunk.
  let reserved = await reservedAhead(work, upload, position, end)
  for (;;) {
    const most = mostOf(context, upload)
    const number = chunkAt(gridOf(upload), position)
    const room = Math.min(chunkStart(gridOf(upload), number + 1), most) - position
    // The chunk is taken only when a byte for it is here: an idle writer must not keep others from the next chunk.
    const first = await reader.next(Math.max(1, room))
    if (first === null) break
    if (room <= 0) throw tooLarge(most)
    if (position >= reserved) reserved = await reservedAhead(work, upload, position, end)
    // Before the chunk, too: what is held already goes on to storage whatever this waits for.
    const hold = context.storage.holdsChunks
      ? await body.hold(Math.min(room, end - position), position - input.offset)
      : null
    try {
      await takeChunk(work, number)
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
