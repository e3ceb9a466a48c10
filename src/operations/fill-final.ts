import { createHash } from 'node:crypto'
import type { BodyPlace } from '../body/bodies.ts'
import { partsOf, stretchesOf, type Part } from '../concatenation.ts'
import { isUploadError, UploadError } from '../errors.ts'
import { chunkLength, chunkStart } from '../grid.ts'
import type { ChunkEntry } from '../ledger.ts'
import type { UploadLock } from '../locks/locker.ts'
import type { ChunkWriter, Source } from '../storage/storage.ts'
import { gridOf, isGone, type Upload } from '../upload.ts'
import { ChunksInFlight } from './chunks-in-flight.ts'
import type { Context } from './context.ts'
import { end } from './expire.ts'
import { commit, fresh, mustHold } from './records.ts'

/** How many chunks storage is asked to copy by itself at a time. */
const BATCH = 32
/** How many chunks are read and written at a time. */
const IN_FLIGHT = 2
/** The same where each is sent on its own, over a network. */
const HELD_IN_FLIGHT = 5

/** What says nothing of the parts: somebody else wanted the lock, or the server stops. */
const GIVEN_UP: ReadonlySet<string> = new Set(['UPLOAD_LOCKED', 'DRAINING'])

/** A final that is being made, under its whole lock. */
interface Filling {
  readonly context: Context
  readonly lock: UploadLock
  /** Aborts when somebody wants the lock. */
  readonly asked: AbortSignal
  readonly parts: readonly Part[]
  readonly uploads: ReadonlyMap<string, Upload>
  readonly place: BodyPlace
}

/**
 * Copies what is missing of an upload that is made of others, chunk by chunk, each recorded as one that a client sent. Killed
 * at any point, what was recorded stays, and whoever comes next goes on. What was copied and not recorded is copied again:
 * the same bytes.
 *
 * The signal of `asking` aborts when somebody wants the lock: the chunks under way are recorded, and it is given back. It is
 * made when it is read, which is dear beside a small file.
 * @throws UploadError `UPLOAD_FAILED` where a part is gone: the file can never be made
 */
export async function fillFinal(
  context: Context,
  upload: Upload,
  lock: UploadLock,
  asking: Pick<AbortController, 'signal'>,
): Promise<Upload> {
  const parts = partsOf(upload)
  if (parts === null || upload.ledger.isFull(gridOf(upload))) return upload
  const asked = asking.signal
  try {
    const uploads = await pinned(context, parts)
    await context.bodies.runInPlace(asked, (place) =>
      copyMissing({ context, lock, asked, parts, uploads, place }, upload),
    )
  } catch (error) {
    if (!(isUploadError(error) && GIVEN_UP.has(error.code))) await failIfPartGone(context, upload, parts, lock)
    throw error
  }
  return fresh(context, upload.manifest.id)
}

/** The parts. From now on they have their full time again: they do not expire while they are copied. */
async function pinned(context: Context, parts: readonly Part[]): Promise<Map<string, Upload>> {
  const uploads = new Map<string, Upload>()
  for (const { id } of parts) {
    if (!uploads.has(id)) uploads.set(id, await commit(context, await fresh(context, id), [{ type: 'touch' }], null))
  }
  return uploads
}

/** Batch by batch: what storage copies by itself, then the rest. */
async function copyMissing(work: Filling, upload: Upload): Promise<void> {
  const { context } = work
  const missing = upload.ledger.missing(gridOf(upload)).flatMap(([first, last]) => numbersFrom(first, last))
  for (let from = 0; from < missing.length; from += BATCH) {
    const batch = missing.slice(from, from + BATCH)
    mayGoOn(work)
    const copied = new Set(await copyChunks(work, upload, batch))
    const inFlight = new ChunksInFlight(context.storage.holdsChunks ? HELD_IN_FLIGHT : IN_FLIGHT)
    try {
      for (const number of batch) {
        if (copied.has(number)) continue
        mayGoOn(work)
        inFlight.add(() => writeChunk(work, upload, number))
        await inFlight.room()
      }
      await inFlight.stored()
    } finally {
      // The lock is given back only after every write under it has settled.
      await inFlight.settled()
    }
  }
}

function mayGoOn({ context, asked }: Filling): void {
  if (context.bodies.draining) throw new UploadError('DRAINING')
  if (asked.aborted) throw new UploadError('UPLOAD_LOCKED')
}

function numbersFrom(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

/** Has storage copy those of the chunks that lie inside of one part, as far as it can; the numbers of those it has. */
async function copyChunks(work: Filling, upload: Upload, numbers: readonly number[]): Promise<number[]> {
  const { context, lock } = work
  const at = context.options.now()
  const copies = numbers.flatMap((number) => {
    const [source, ...others] = sourcesOf(work, upload, number)
    return source === undefined || others.length > 0 ? [] : [{ number, source, at }]
  })
  if (copies.length === 0) return []
  mustHold(lock)
  const entries = await context.storage.copyChunks(upload, copies)
  const changes = entries.map((entry) => ({ type: 'chunk', entry }) as const)
  if (changes.length > 0) await commit(context, upload, changes, lock)
  return entries.map(({ number }) => number)
}

/** Reads a chunk's bytes, and writes them as those of a client. */
async function writeChunk(work: Filling, upload: Upload, number: number): Promise<void> {
  const { context, lock, place } = work
  const { storage } = context
  const hold = storage.holdsChunks ? await place.hold(chunkLength(gridOf(upload), number)) : null
  try {
    const memory = place.share() / (2 * IN_FLIGHT)
    const writer = await storage.beginChunk(upload, number, 0, { memory, ...(hold === null ? {} : { hold }) })
    const entry = await rewrite(work, upload, number, writer)
    await commit(context, upload, [{ type: 'chunk', entry }], lock)
  } finally {
    await hold?.drop()
  }
}

async function rewrite(work: Filling, upload: Upload, number: number, writer: ChunkWriter): Promise<ChunkEntry> {
  const { context, lock } = work
  const hash = createHash('sha256')
  try {
    for (const source of sourcesOf(work, upload, number)) {
      for await (const buffer of context.storage.read(source.upload, source.start, source.end)) {
        hash.update(buffer)
        await writer.write([buffer])
      }
    }
    mustHold(lock)
  } catch (error) {
    await writer.abort()
    throw error
  }
  const size = chunkLength(gridOf(upload), number)
  return writer.finish({ number, size, sha256: hash.digest('hex'), at: context.options.now() })
}

/** Where the bytes of a chunk are, in order. */
function sourcesOf({ parts, uploads }: Filling, upload: Upload, number: number): Source[] {
  const start = chunkStart(gridOf(upload), number)
  return stretchesOf(parts, start, start + chunkLength(gridOf(upload), number)).map(({ id, start, end }) => {
    const part = uploads.get(id)
    if (part === undefined) throw new Error(`Part ${id} was not looked up.`)
    return { upload: part, start, end }
  })
}

/** Whatever went wrong: without its parts the file can never be made, and whoever asks is told. Storage has the word. */
async function failIfPartGone(
  context: Context,
  upload: Upload,
  parts: readonly Part[],
  lock: UploadLock,
): Promise<void> {
  const gone = await goneParts(context, parts)
  if (gone.length === 0) return
  await end(context, upload, 'failed', lock)
  throw new UploadError('UPLOAD_FAILED', {
    message: `The file cannot be made: part ${gone.join(', ')} of it was removed or has expired. Send it again.`,
    details: { parts: gone },
  })
}

/** Numbers, from 1, of the parts that are not there any more. */
async function goneParts({ storage }: Context, parts: readonly Part[]): Promise<number[]> {
  const gone = new Map<string, boolean>()
  const numbers: number[] = []
  for (const [index, { id }] of parts.entries()) {
    let isMissing = gone.get(id)
    if (isMissing === undefined) {
      const stored = await storage.load(id)
      isMissing = stored === null || isGone(stored)
      gone.set(id, isMissing)
    }
    if (isMissing) numbers.push(index + 1)
  }
  return numbers
}
