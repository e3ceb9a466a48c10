import type { Caller } from '../access.ts'
import { isPartial } from '../concatenation.ts'
import { UploadError } from '../errors.ts'
import type { UploadLock } from '../locks/locker.ts'
import { isGone, isOpen, type Upload } from '../upload.ts'
import { drive, within } from './complete.ts'
import type { Context } from './context.ts'
import { end } from './expire.ts'
import { authorised } from './authorised.ts'
import { load, there } from './records.ts'
import { holdToToken } from './upload-token.ts'

/** See {@link Uploads.cancel}. */
export function cancel(context: Context, id: string, caller: Caller): Promise<void> {
  return context.bodies.run(async () => {
    const upload = await authorised(context, id, 'cancel', caller)
    if (isCancelled(upload)) return
    await underWhole(context, id, async (now, lock) => {
      if (isCancelled(now)) return
      await end(context, now, 'cancelled', lock)
    })
  })
}

/** See {@link Uploads.terminate}. */
export function terminate(context: Context, id: string, caller: Caller): Promise<void> {
  return context.bodies.run(async () => {
    const upload = there(await authorised(context, id, 'cancel', caller))
    if (upload.status === 'completing') await within(drive(context, id), context.options.lockWaitMs)
    await underWhole(context, id, async (now, lock) => {
      // It may have been finished in the meantime.
      holdToToken(context, now, caller, false)
      await end(context, there(now), 'cancelled', lock)
    })
  })
}

/** Takes a finished file away, and ends its upload. Whether the caller may has been asked. */
export async function remove(context: Context, id: string): Promise<void> {
  await underWhole(context, id, async (now, lock) => {
    await end(context, there(now), 'cancelled', lock)
  })
}

/** True when there is nothing left to cancel; throws when it is too late to. */
function isCancelled(upload: Upload): boolean {
  if (upload.status === 'cancelled') return true
  if (isGone(upload)) there(upload)
  // A part is no file, whole or not.
  if (!isOpen(upload) && !(isPartial(upload) && upload.status === 'uploaded')) {
    throw new UploadError('UPLOAD_COMPLETED', { message: 'This upload is complete and cannot be cancelled any more.' })
  }
  return false
}

/** Asks everybody at the upload to let go, and does the work under the whole lock on what it is by then. */
async function underWhole(
  context: Context,
  id: string,
  work: (upload: Upload, lock: UploadLock) => Promise<void>,
): Promise<void> {
  const { lockWaitMs } = context.options
  const lock = await context.state.locks.acquire(id, { scope: { kind: 'whole' }, waitMs: lockWaitMs, ask: true })
  try {
    const upload = await load(context, id)
    if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND')
    await work(upload, lock)
  } finally {
    await lock.release()
  }
}
