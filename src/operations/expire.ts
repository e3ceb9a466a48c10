import { partsOf } from '../concatenation.ts'
import { type ErrorCode, isUploadError, UploadError } from '../errors.ts'
import type { UploadLock } from '../locks/locker.ts'
import { gridOf, mayExpire, type Change, type GoneStatus, type Upload } from '../upload.ts'
import { leaveAccount } from './account.ts'
import { dropTransients, type Context } from './context.ts'
import { commit, learn, load, mustHold } from './records.ts'

/** What says nothing of which end stands. */
const PASSING: ReadonlySet<string> = new Set(['STORAGE_UNAVAILABLE', 'STORAGE_FULL', 'STATE_UNAVAILABLE'])

/**
 * Carries out an expiry that is due, and returns the upload as it is then. Expiry is a recorded transition: while
 * somebody is writing, the upload is alive, whatever the time says. To a part that is whole nobody writes: whoever is at it is
 * ending it, and is waited for, `waitMs` at most.
 * @throws UploadError `UPLOAD_LOCKED` where that takes longer
 */
export async function expireIfDue(context: Context, upload: Upload, waitMs = 0): Promise<Upload> {
  if (!isExpiryDue(context, upload)) return upload
  const { id } = upload.manifest
  const isWaitedFor = upload.status === 'uploaded' && waitMs > 0
  const lock = await idle(context, id, isWaitedFor ? waitMs : 0)
  if (lock === null && isWaitedFor) throw new UploadError('UPLOAD_LOCKED')
  if (lock === null) return upload
  try {
    const now = await load(context, id)
    if (now === null || !isExpiryDue(context, now)) return now ?? upload
    return await end(context, now, 'expired', lock)
  } finally {
    await lock.release()
  }
}

/**
 * Whether the time of an upload that nobody has come back to is over. One that is made of others waits for nobody, unless it
 * has all its bytes and `beforeComplete` has said no.
 */
export function isExpiryDue(context: Context, upload: Upload): boolean {
  if (!mayExpire(upload) || (partsOf(upload) !== null && !upload.ledger.isFull(gridOf(upload)))) return false
  return context.state.skewMs !== null && upload.expiresAt <= context.options.now()
}

/** Ends a finished file whose time is over. Returns whether it did. */
export async function expireFileIfDue(context: Context, upload: Upload): Promise<boolean> {
  if (!isFileDue(context, upload)) return false
  const { id } = upload.manifest
  const lock = await idle(context, id)
  if (lock === null) return false
  try {
    const now = await load(context, id)
    if (now === null || !isFileDue(context, now)) return false
    await end(context, now, 'expired', lock)
    return true
  } finally {
    await lock.release()
  }
}

/** Whether the time of a finished file is over. */
export function isFileDue({ options, state }: Context, { status, endedAt }: Upload): boolean {
  const { filesExpireAfterMs, now } = options
  if (filesExpireAfterMs === null || state.skewMs === null || status !== 'uploaded' || endedAt === null) return false
  return endedAt + filesExpireAfterMs <= now()
}

/** The whole lock, if nobody holds anything of the upload, or not for longer than `waitMs`; else null. */
export async function idle(context: Context, id: string, waitMs = 0): Promise<UploadLock | null> {
  try {
    return await context.state.locks.acquire(id, { scope: { kind: 'whole' }, waitMs })
  } catch (error) {
    if (isUploadError(error) && error.code === 'UPLOAD_LOCKED') return null
    throw error
  }
}

/**
 * Ends an upload for good, under the whole lock. The end is in storage before state hears of it and before a byte is
 * deleted: killed before the record, the upload lives; after it, it is gone, and the sweeper deletes what is left. `code` is
 * why it failed.
 */
export async function end(
  context: Context,
  upload: Upload,
  status: GoneStatus,
  lock: UploadLock,
  code: ErrorCode = 'UPLOAD_FAILED',
): Promise<Upload> {
  const ofFile = upload.status === 'uploaded' ? ({ ofFile: true } as const) : {}
  const change = { type: 'ended', status, at: context.options.now(), ...ofFile } as const
  const ended = await recordEnd(context, upload, change, lock)
  await leaveAccount(context, upload.manifest)
  dropTransients(context, upload.manifest.id)
  context.digests.drop(upload.manifest.id)
  if (status === 'failed') context.events.emit(status, { ...ended, code })
  else context.events.emit(status, ended)
  await discard(context, ended)
  return ended
}

/**
 * Storage's record decides, whatever has become of the lock meanwhile: state learns which end stands, this one or the one
 * that kept it out.
 */
async function recordEnd(
  context: Context,
  upload: Upload,
  change: Extract<Change, { type: 'ended' }>,
  lock: UploadLock,
): Promise<Upload> {
  const { id } = upload.manifest
  // Stopped past its lease, this node knows by its own clock that another may have gone on.
  mustHold(lock)
  try {
    await context.storage.record(id, change)
    return await commit(context, upload, [change], lock)
  } catch (error) {
    if (!isUploadError(error) || PASSING.has(error.code)) throw error
    const ended = await learn(context, id)
    if (ended?.status === change.status) return ended
    throw error
  }
}

/**
 * Deletes the bytes of an ended upload; returns whether they are gone. What fails here is done again by the sweeper, and is
 * no client's trouble.
 */
export async function discard(context: Context, upload: Upload): Promise<boolean> {
  try {
    await context.storage.discard(upload)
    return true
  } catch (error) {
    context.options.onError(error, `deleting the bytes of upload ${upload.manifest.id}`)
    return false
  }
}
