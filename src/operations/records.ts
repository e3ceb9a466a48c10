import { UploadError } from '../errors.ts'
import type { LockRequest, UploadLock } from '../locks/locker.ts'
import { Speedometer } from '../speedometer.ts'
import { goneError, isGone, type Change, type StoredUpload, type Upload } from '../upload.ts'
import type { CommitOptions, FindOptions } from '../state/state.ts'
import { keepAccount } from './account.ts'
import type { Context } from './context.ts'

/** How many uploads' speeds are remembered. */
const MOST_SPEEDS = 10_000

const UPLOAD_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The upload, from state or else from storage; null where there is none. Nobody is asked. */
export async function load(context: Context, id: string, options: FindOptions = {}): Promise<Upload | null> {
  if (!UPLOAD_ID.test(id)) return null
  return (await context.state.find(id, options)) ?? recover(context, id)
}

/**
 * Acquires a lock and finds the upload under it.
 * @throws UploadError `UPLOAD_LOCKED`, and, after the lock was given back, `UPLOAD_NOT_FOUND` or 410 codes
 */
export async function lockUpload(
  context: Context,
  id: string,
  request: LockRequest,
): Promise<{ readonly lock: UploadLock; readonly upload: Upload }> {
  const { lock, upload } = await context.state.lock(id, request)
  try {
    return { lock, upload: upload === null ? await fresh(context, id) : there(upload) }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Merges what storage knows of an upload into state: the one recovery there is. */
export function recover(context: Context, id: string): Promise<Upload | null> {
  const underWay = context.recoveries.get(id)
  if (underWay !== undefined) return underWay
  const recovery = learn(context, id).finally(() => context.recoveries.delete(id))
  context.recoveries.set(id, recovery)
  return recovery
}

/** Merges what storage knows by now, where it has just said something that state does not know yet. */
export function learn(context: Context, id: string): Promise<Upload | null> {
  return context.state.merge(id, async () => {
    const stored = await context.storage.load(id)
    if (stored === null) return null
    await keepAccount(context, stored)
    return { ...stored, expiresAt: nextExpiry(context, stored) }
  })
}

/** When an upload that shows life now will expire: sliding, within its longest life. */
export function nextExpiry(context: Context, upload: StoredUpload): number {
  const { now, expiresAfterMs, maxLifetimeMs } = context.options
  return Math.min(now() + expiresAfterMs, upload.manifest.createdAt + maxLifetimeMs)
}

/** @throws UploadError with a 410 code when the upload is gone */
export function there(upload: Upload): Upload {
  if (isGone(upload)) throw goneError(upload.status)
  return upload
}

/** The upload as it is now, under a lock the caller holds. @throws UploadError `UPLOAD_NOT_FOUND`, or 410 codes */
export async function fresh(context: Context, id: string): Promise<Upload> {
  const upload = await load(context, id)
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND')
  return there(upload)
}

/**
 * Asked before something is recorded in storage that another node could not undo. A node that was stopped past its lease
 * knows by its own clock that another may have gone on.
 * @throws UploadError `UPLOAD_LOCKED`
 */
export function mustHold(lock: UploadLock): void {
  if (!lock.held) throw new UploadError('UPLOAD_LOCKED')
}

/** Whether a gone upload need not be remembered any more. */
export function isTombstoneOver(context: Context, upload: Upload): boolean {
  return isGone(upload) && (upload.endedAt ?? 0) + context.options.tombstoneMs <= context.options.now()
}

/**
 * Commits changes that storage has recorded already, under the lock; new bytes move the expiry and are told to whoever
 * listens. With `release` the lock is given back in the same step. State that has forgotten the upload learns it from storage first.
 * @throws UploadError `UPLOAD_LOCKED` when the lock is lost, 410 codes when the upload is gone
 */
export async function commit(
  context: Context,
  upload: Upload,
  changes: readonly Change[],
  lock: UploadLock | null,
  { release = false }: Pick<CommitOptions, 'release'> = {},
): Promise<Upload> {
  const { id } = upload.manifest
  const isDigest = changes.every((change) => change.type === 'digest')
  const expiresAt = isDigest ? upload.expiresAt : nextExpiry(context, upload)
  const options = { lock, expiresAt, release }
  let committed = await context.state.commit(id, changes, options)
  if (committed === null && (await recover(context, id)) !== null) {
    committed = await context.state.commit(id, changes, options)
  }
  if (committed === null) throw new UploadError('UPLOAD_NOT_FOUND')
  if (changes.some((change) => change.type === 'chunk' || change.type === 'tail')) progressed(context, committed)
  return committed
}

function progressed(context: Context, upload: Upload): void {
  speedometerOf(context, upload).sample(context.options.now(), upload.ledger.durableBytes)
  context.events.emit('progress', upload)
}

/** The upload's speedometer; begins one where bytes are about to come. */
export function speedometerOf(context: Context, upload: Upload): Speedometer {
  const { id } = upload.manifest
  const meter = context.speeds.get(id) ?? new Speedometer()
  // Last in the map: of those that another node has ended, the oldest is forgotten first.
  context.speeds.delete(id)
  context.speeds.set(id, meter)
  for (const oldest of context.speeds.keys()) {
    if (context.speeds.size <= MOST_SPEEDS) break
    context.speeds.delete(oldest)
  }
  return meter
}
