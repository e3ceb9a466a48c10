import { partsOf } from '../concatenation.ts'
import { isGone, isOpen, mayExpire, type Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { isExpiryDue, isFileDue } from './expire.ts'
import { wantsDigest } from './keep-digest.ts'
import { isTombstoneOver } from './records.ts'

/**
 * What a sweep does with an upload.
 *
 * - `complete`: goes on with a completion that was interrupted, or makes a file of its parts
 * - `expire`: ends it, as its time is over, and deletes its bytes
 * - `delete`: deletes bytes that are left of one that has ended
 * - `forget`: deletes what is left of one whose tombstone is over
 * - `tell`: tells who is still to be told of its file
 * - `checksum`: reads its file for the checksum
 */
export type SweepAction = 'complete' | 'expire' | 'delete' | 'forget' | 'tell' | 'checksum'

/**
 * What a sweep would do with an upload now; nothing where it is to be left alone. Both the sweep and its dry run ask this,
 * and it changes nothing. Whether somebody is at the upload is seen when it is done.
 */
export async function sweepActions(context: Context, upload: Upload): Promise<readonly SweepAction[]> {
  if (isGone(upload)) {
    if (isTombstoneOver(context, upload)) return ['forget']
    // A crash may have come between the end and the deletion, or a writer too late.
    return (await context.storage.hasBytes(upload)) ? ['delete'] : []
  }
  if (upload.status === 'completing') return ['complete']
  if (mayExpire(upload)) {
    if (isExpiryDue(context, upload)) return ['expire']
    // Nobody sends the bytes of what is made of others.
    return isOpen(upload) && partsOf(upload) !== null ? ['complete'] : []
  }
  if (isFileDue(context, upload)) return ['expire']
  const actions: SweepAction[] = []
  if (await context.outbox.owes(upload.manifest.fileId)) actions.push('tell')
  if (wantsDigest(context, upload)) actions.push('checksum')
  return actions
}

/** Whether an upload is a file of which nothing is left to be done, but for telling of it. */
export function isSettledFile(upload: Upload, actions: readonly SweepAction[]): boolean {
  return upload.status === 'uploaded' && !mayExpire(upload) && actions.every((action) => action === 'tell')
}
