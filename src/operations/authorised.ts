import { randomUUID } from 'node:crypto'
import { type Action, type Caller, subjectOf } from '../access.ts'
import { UploadError } from '../errors.ts'
import type { Upload } from '../upload.ts'
import type { FindOptions } from '../state/state.ts'
import type { Context } from './context.ts'
import { expireIfDue } from './expire.ts'
import { isTombstoneOver, load, recover } from './records.ts'
import { holdToToken } from './upload-token.ts'

/**
 * The upload, if the caller may do this to it; an expiry that is due has been carried out. Whose it is never changes, so
 * what this process saw last will do where the upload is looked at again under a lock. `afterEnd`: an upload's token may
 * hear of this how the upload ended.
 * @throws UploadError `UPLOAD_NOT_FOUND`, also for what the caller may not see; `UNAUTHENTICATED` to a token that is over
 */
export async function authorised(
  context: Context,
  id: string,
  action: Action,
  caller: Caller,
  { afterEnd = false, ...options }: FindOptions & { readonly afterEnd?: boolean } = {},
): Promise<Upload> {
  const upload = await load(context, id, options)
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND')
  holdToToken(context, upload, caller, afterEnd)
  if (!(await mayDo(context, upload, action, caller))) {
    await lookForNothing(context, options)
    throw new UploadError('UPLOAD_NOT_FOUND')
  }
  return current(context, upload)
}

/** Asks the application, or its default, whether the caller may do this to an upload. */
export async function mayDo(context: Context, upload: Upload, action: Action, caller: Caller): Promise<boolean> {
  return context.options.authorize(caller.principal, action, subjectOf(upload))
}

/** An upload as it is by now. Whether the caller may has been asked. @throws UploadError `UPLOAD_NOT_FOUND` */
export async function current(context: Context, upload: Upload): Promise<Upload> {
  if (isTombstoneOver(context, upload)) throw new UploadError('UPLOAD_NOT_FOUND')
  return expireIfDue(context, upload, context.options.lockWaitMs)
}

/**
 * What there is none of is looked for in storage, too. Who is denied an upload waits for the same, or the time would tell
 * him that it is there. Of what this process has seen before, state was not asked yet.
 */
async function lookForNothing(context: Context, { recent = false }: FindOptions): Promise<void> {
  const nothing = randomUUID()
  await (recent ? load(context, nothing) : recover(context, nothing))
}
