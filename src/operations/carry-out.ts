import { isPartial } from '../concatenation.ts'
import { isUploadError } from '../errors.ts'
import { digestOf, isGone, type Upload } from '../upload.ts'
import { drive } from './complete.ts'
import type { Context } from './context.ts'
import { discard, expireFileIfDue, expireIfDue, idle } from './expire.ts'
import { putChecksum } from './keep-digest.ts'
import { load } from './records.ts'
import type { SweepAction } from './sweep-actions.ts'

/** How an action of a sweep went: `busy` where somebody else is at the upload, `refused` by `beforeComplete`. */
export type ActionOutcome = 'done' | 'busy' | 'refused' | 'failed'

/** Does to its end what a sweep does with an upload. What a receiver or a storage fails at, `onError` was told. */
export async function carryOut(context: Context, upload: Upload, action: SweepAction): Promise<ActionOutcome> {
  switch (action) {
    case 'complete':
      return takeUpCompletion(context, upload.manifest.id)
    case 'expire':
      return expire(context, upload)
    case 'delete':
      return (await discard(context, upload)) ? 'done' : 'failed'
    case 'forget':
      return bury(context, upload)
    case 'tell':
      return (await context.outbox.tellOnce(upload.manifest.fileId)) ? 'done' : 'failed'
    case 'checksum': {
      const { id } = upload.manifest
      await context.digests.follow(id)
      const now = await load(context, id)
      return now !== null && digestOf(now) !== null ? 'done' : 'failed'
    }
  }
}

async function takeUpCompletion(context: Context, id: string): Promise<ActionOutcome> {
  try {
    await drive(context, id)
    return 'done'
  } catch (error) {
    // That it must not be completed is nothing that went wrong.
    if (error === context.vetoes.of(id)) return 'refused'
    if (isUploadError(error) && error.code === 'UPLOAD_LOCKED') return 'busy'
    throw error
  }
}

async function expire(context: Context, upload: Upload): Promise<ActionOutcome> {
  const isFile = upload.status === 'uploaded' && !isPartial(upload)
  const ended = isFile ? await expireFileIfDue(context, upload) : isGone(await expireIfDue(context, upload))
  return ended ? 'done' : 'busy'
}

async function bury(context: Context, upload: Upload): Promise<ActionOutcome> {
  const { id } = upload.manifest
  // The record is all that tells of bytes that could not be deleted yet.
  if (!(await discard(context, upload))) return 'failed'
  const lock = await idle(context, id)
  if (lock === null) return 'busy'
  try {
    await context.storage.forget(id)
    await context.state.forget(id)
    return 'done'
  } finally {
    await lock.release()
  }
}

/** A finished file of which everything is known needs no memory: who asks for it loads it again. */
export async function retire(context: Context, upload: Upload): Promise<void> {
  // A kill may have come between the digest and the file's record.
  const digest = digestOf(upload)
  if (digest !== null) await putChecksum(context, upload.manifest.fileId, digest)
  await context.state.forget(upload.manifest.id)
}
