import type { Caller } from '../access.ts'
import { isPartial, partsOf } from '../concatenation.ts'
import { isUploadError, UploadError } from '../errors.ts'
import type { FileRecord } from '../files.ts'
import type { UploadLock } from '../locks/locker.ts'
import type { AssembledFile, RecordedChange } from '../storage/storage.ts'
import { digestOf, gridOf, isGone, isOpen, type Upload } from '../upload.ts'
import { leaveAccount } from './account.ts'
import { verifyType } from './check-type.ts'
import { dropTransients, type Context } from './context.ts'
import { published } from './file-url.ts'
import { forgetUpload } from './heal.ts'
import { discard, end } from './expire.ts'
import { fillFinal } from './fill-final.ts'
import { digestAtHand, putChecksum, wantsDigest } from './keep-digest.ts'
import { authorised, mayDo } from './authorised.ts'
import { commit, fresh, learn, load, mustHold, there } from './records.ts'
import { askBeforeComplete } from './vetoes.ts'

/** How a completion is asked for. */
export interface CompleteInput {
  /** How long to wait for the file's checksum, ms. @default 20 000 */
  readonly waitMs?: number
}

/** A completed upload. */
export interface Completed {
  /** Its file; `checksum` is null while it is still being computed. */
  readonly file: FileRecord
}

const DEFAULT_WAIT_MS = 20_000

/** See {@link Uploads.complete}. */
export function complete(context: Context, id: string, input: CompleteInput, caller: Caller): Promise<Completed> {
  return context.bodies.run(async () => {
    const deadline = performance.now() + (input.waitMs ?? DEFAULT_WAIT_MS)
    const upload = there(await authorised(context, id, 'complete', caller, { afterEnd: true }))
    if (isPartial(upload)) {
      throw new UploadError('FORBIDDEN', { message: 'This upload is a part of a file: it becomes none by itself.' })
    }
    if (upload.status !== 'uploaded') {
      if (partsOf(upload) === null) requireFull(upload)
      // Not bounded by `waitMs`, which speaks of the checksum: a short wait must still find a file that is quickly made.
      await within(drive(context, id), Math.max(deadline - performance.now(), context.options.lockWaitMs))
    }
    const digest = await digestBefore(context, id, deadline)
    const file = await context.storage.files.get(upload.manifest.fileId)
    if (file === null) throw new UploadError('UPLOAD_NOT_FOUND')
    // The digest is known a moment before it stands in the record.
    return { file: published(context.options, { ...file, checksum: file.checksum ?? digest }) }
  })
}

/** See {@link Uploads.settle}. */
export function settle(context: Context, id: string, caller: Caller, signal?: AbortSignal): Promise<Settled> {
  return context.bodies.run(async () => {
    let upload = there(await authorised(context, id, 'read', caller, { afterEnd: true }))
    // Nobody appends to what is made of others.
    if (isOpen(upload) && partsOf(upload) === null) {
      const lock = await context.state.locks.acquire(id, {
        scope: { kind: 'append' },
        waitMs: context.options.lockWaitMs,
        ask: true,
        ...(signal === undefined ? {} : { signal }),
      })
      try {
        upload = await fresh(context, id)
      } finally {
        await lock.release()
      }
    }
    // Who may not complete is told neither an offset that would say it is done nor that it is gone: it waits for who may.
    return completeIfFull(context, upload, caller, 'UPLOAD_LOCKED')
  })
}

const MAY_NOT_COMPLETE = {
  message: 'Every byte is stored, but you may not complete this upload.',
  details: { action: 'complete' },
} as const

/** An upload, and the offset a sequential writer may be told of it. */
export interface Settled {
  readonly upload: Upload
  /** Bytes. It is the length only when the whole file stands. */
  readonly offset: number
}

/**
 * Drives the completion of an upload whose chunks are all durable, or that is made of others, and reads its offset in the
 * same instant in which it is seen to need none: another writer may fill the ledger at any time. Where nobody has begun to
 * complete it, the caller must be allowed to.
 * @throws UploadError `UPLOAD_LOCKED` while completion lasts, after `waitMs`; `denied` where the caller may not complete it
 */
export async function completeIfFull(
  context: Context,
  begun: Upload,
  caller: Caller,
  denied: 'FORBIDDEN' | 'UPLOAD_LOCKED',
  waitMs = context.options.lockWaitMs,
): Promise<Settled> {
  let upload = begun
  while (upload.status !== 'uploaded' && (partsOf(upload) !== null || upload.ledger.isFull(gridOf(upload)))) {
    if (isOpen(upload)) {
      if (!(await mayDo(context, upload, 'complete', caller))) throw new UploadError(denied, MAY_NOT_COMPLETE)
      // A tus client comes here with every HEAD and PATCH: the hook is not asked again and again.
      const veto = context.vetoes.of(upload.manifest.id)
      if (veto !== null) throw veto
    }
    upload = await within(drivenOrHealed(context, upload), waitMs)
  }
  return { upload, offset: upload.ledger.offset(gridOf(upload)) }
}

/**
 * Storage may find that it has lost a chunk: then what it still has is the answer, and a sequential writer is told the true
 * offset rather than an error that makes it start over.
 */
async function drivenOrHealed(context: Context, upload: Upload): Promise<Upload> {
  const { id } = upload.manifest
  try {
    return await drive(context, id)
  } catch (error) {
    // It was declared of the file, by whoever began it: the bytes of this request are what they were said to be.
    if (isUploadError(error) && error.code === 'CHECKSUM_MISMATCH') {
      throw new UploadError('UPLOAD_FAILED', { message: error.message, cause: error })
    }
    if (!isUploadError(error) || error.code !== 'CHUNKS_MISSING') throw error
    // What is lost of a file that is made of others is copied again by whoever asks next.
    if (partsOf(upload) !== null) throw new UploadError('UPLOAD_LOCKED', { cause: error })
    return fresh(context, id)
  }
}

/** Completes an upload, once for all who ask at the same time; whoever touches it next takes it up again after a crash. */
export function drive(context: Context, id: string): Promise<Upload> {
  const underWay = context.completions.get(id)
  if (underWay !== undefined) return underWay
  const completion = context.bodies
    .runAnyway(() => completeUnderLock(context, id))
    .finally(() => context.completions.delete(id))
  context.completions.set(id, completion)
  return completion
}

async function completeUnderLock(context: Context, id: string): Promise<Upload> {
  const { lockWaitMs } = context.options
  const asked = new AbortController()
  const stop = (): void => asked.abort()
  const scope = { kind: 'whole' } as const
  const lock = await context.state.locks.acquire(id, { scope, waitMs: lockWaitMs, onAsked: stop, onLost: stop })
  try {
    const upload = await fresh(context, id)
    if (upload.status === 'uploaded') return upload
    return await makeFile(context, await fillFinal(context, upload, lock, asked), lock)
  } catch (error) {
    // Storage has found that it does not hold what it had confirmed (a failed fsync): what is remembered here is not to
    // be repeated, and a merge would keep it.
    if (isUploadError(error) && error.code === 'CHUNKS_MISSING') await forgetUpload(context, id)
    if (isUploadError(error) && error.status === 410) await learnEnd(context, id)
    throw error
  } finally {
    await lock.release()
  }
}

/** Storage has another end, of which its maker may not have come to tell state: what was made here is nobody's. */
async function learnEnd(context: Context, id: string): Promise<void> {
  const upload = await learn(context, id)
  if (upload !== null && isGone(upload)) await discard(context, upload)
}

/**
 * `completing` is recorded before anything moves, `uploaded` after the whole object stands. Killed in between at any
 * point, storage says `completing`, every step may be done again, and nobody was told that the file is there.
 */
async function makeFile(context: Context, upload: Upload, lock: UploadLock): Promise<Upload> {
  const { storage } = context
  const { id } = upload.manifest
  requireFull(upload)
  if (isOpen(upload) && !isPartial(upload)) await askBeforeComplete(context, upload)
  const completing = isOpen(upload) ? await begin(context, upload, lock) : upload
  if (storage.readsUnfinished) await verify(context, completing, lock)
  const assembled = await assemble(context, completing)
  // Only now can the bytes be read back. Whatever comes of it, nobody has been told of the file yet.
  if (!storage.readsUnfinished) await verify(context, completing, lock)
  const at = context.options.now()
  const known = await fresh(context, id)
  const file = fileRecord(known, await digestAtHand(context, known), at, assembled)
  const changes = endOf(known, file)
  mustHold(lock)
  if (!isPartial(known)) await storage.files.put(file, context.outbox.receivers)
  // Together: they are one write, and where only the end survives a kill the digest is computed anew.
  const recorded = await Promise.allSettled(changes.map((change) => storage.record(id, change)))
  // Only when both have settled: the lock is not given back while a write under it is on its way.
  for (const outcome of recorded) if (outcome.status === 'rejected') throw outcome.reason
  try {
    return await commitUploaded(context, completing, changes, file, lock)
  } finally {
    // The file is there, whatever becomes of state's knowledge of it.
    if (!isPartial(known)) {
      context.outbox.begin(file)
      context.events.emit('completed', published(context.options, file), { ...known, status: 'uploaded', endedAt: at })
    }
  }
}

/** Storage may find that an upload is lost: then it has recorded so, and this is who hears of it. */
async function assemble(
  { events, options, storage }: Context,
  upload: Upload,
): ReturnType<Context['storage']['assemble']> {
  try {
    return await storage.assemble(upload)
  } catch (error) {
    if (isUploadError(error) && error.code === 'UPLOAD_FAILED') {
      events.emit('failed', { ...upload, status: 'failed', endedAt: options.now(), code: error.code })
    }
    throw error
  }
}

async function commitUploaded(
  context: Context,
  completing: Upload,
  changes: readonly RecordedChange[],
  file: FileRecord,
  lock: UploadLock,
): Promise<Upload> {
  const uploaded = await commit(context, completing, changes, lock)
  await leaveAccount(context, uploaded.manifest)
  // A digest that was kept while the record was being written found no finished file to put it into.
  const digest = digestOf(uploaded)
  if (file.checksum === null && digest !== null) await putChecksum(context, file.id, digest)
  if (digest !== null) context.digests.drop(file.uploadId)
  dropTransients(context, file.uploadId)
  return uploaded
}

async function begin(context: Context, upload: Upload, lock: UploadLock): Promise<Upload> {
  await context.storage.record(upload.manifest.id, { type: 'completing' })
  return commit(context, upload, [{ type: 'completing' }], lock)
}

/** What may still end an upload whose bytes are all there. */
async function verify(context: Context, upload: Upload, lock: UploadLock): Promise<void> {
  await verifyType(context, upload, lock)
  await verifyDeclared(context, upload, lock)
}

async function verifyDeclared(context: Context, upload: Upload, lock: UploadLock): Promise<void> {
  const declared = upload.manifest.checksum
  if (declared === null) return
  const digest = await digestBefore(context, upload.manifest.id, Infinity)
  if (digest === null) throw new UploadError(context.bodies.draining ? 'DRAINING' : 'STORAGE_UNAVAILABLE')
  if (digest === declared) return
  await end(context, upload, 'failed', lock, 'CHECKSUM_MISMATCH')
  throw new UploadError('CHECKSUM_MISMATCH', {
    message: `The file has the SHA-256 ${digest}, not the declared ${declared}. The upload has failed; start a new one.`,
    details: { expected: declared, actual: digest },
  })
}

/** Waits for the whole-file digest until `deadline` (on `performance.now`); null when it is not known by then. */
async function digestBefore(context: Context, id: string, deadline: number): Promise<string | null> {
  for (let attempt = 0; ; attempt += 1) {
    const upload = await load(context, id)
    const left = deadline - performance.now()
    if (upload === null) return null
    const known = digestOf(upload)
    if (known !== null) return known
    // A follower may be about to stop when it is asked to follow: the second call starts a new one. More than that is
    // a failure, which has been reported.
    if (attempt > 2) return null
    if (!wantsDigest(context, upload)) return null
    // Whoever asks has it computed, also one who does not wait. (A tus client never asks; the sweeper sees to its files.)
    const caughtUp = context.digests.follow(id, { awaited: true })
    if (left <= 0) return null
    await orTimeout(caughtUp, left)
  }
}

function requireFull(upload: Upload): void {
  const grid = gridOf(upload)
  if (upload.ledger.isFull(grid)) return
  const missing = upload.ledger.missing(grid)
  throw new UploadError('CHUNKS_MISSING', {
    ...(upload.size === null ? { message: 'The length of this upload is not known yet.' } : {}),
    details: { missing, uploadedBytes: upload.ledger.durableBytes, totalSize: upload.size },
  })
}

/** What ends an upload, with the digest where that is news. */
function endOf(upload: Upload, { uploadedAt, checksum }: FileRecord): RecordedChange[] {
  const ended = { type: 'ended', status: 'uploaded', at: uploadedAt } as const
  return checksum === null || digestOf(upload) !== null ? [ended] : [ended, { type: 'digest', sha256: checksum }]
}

function fileRecord(
  upload: Upload,
  digest: string | null,
  at: number,
  { storageChecksum, key }: AssembledFile,
): FileRecord {
  const { manifest } = upload
  return {
    id: manifest.fileId,
    uploadId: manifest.id,
    owner: manifest.owner,
    name: manifest.fileName,
    size: upload.size ?? 0,
    contentType: manifest.contentType,
    metadata: manifest.metadata,
    uploadedAt: at,
    checksum: digest,
    ...(storageChecksum === undefined ? {} : { storageChecksum }),
    ...(key === undefined ? {} : { key }),
  }
}

/** What `work` comes to, or `UPLOAD_LOCKED` after `ms`; the work goes on then. */
export async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let done = false
  const result = work.finally(() => (done = true))
  await orTimeout(
    result.catch(() => {}),
    ms,
  )
  if (!done) {
    // Whoever asks next is told how it went.
    result.catch(() => {})
    throw new UploadError('UPLOAD_LOCKED', { message: 'The upload is being completed. Ask again.' })
  }
  return result
}

async function orTimeout(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    if (ms !== Infinity) timer = setTimeout(resolve, Math.max(0, ms))
  })
  await Promise.race([work, timeout])
  clearTimeout(timer)
}
