import type { Action, Caller } from '../access.ts'
import { UploadError } from '../errors.ts'
import type { Upload } from '../upload.ts'
import type { FindOptions } from '../state/state.ts'
import type { Context } from './context.ts'
import { expireIfDue } from './expire.ts'
import { isTombstoneOver, load, there } from './records.ts'

/**
 * The upload, if the caller may do this to it; an expiry that is due has been carried out. Whose it is never changes, so
 * what this process saw last will do where the upload is looked at again under a lock.
 * @throws UploadError `UPLOAD_NOT_FOUND`, also for what the caller may not see
 */
export async function authorised(
  context: Context,
  id: string,
  action: Action,
  caller: Caller,
  options: FindOptions = {},
): Promise<Upload> {
  const upload = await load(context, id, options)
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND')
  const subject = { id, owner: upload.manifest.owner }
  if (!(await context.options.authorize(caller.principal, action, subject))) throw new UploadError('UPLOAD_NOT_FOUND')
  if (isTombstoneOver(context, upload)) throw new UploadError('UPLOAD_NOT_FOUND')
  return expireIfDue(context, upload)
}

/** An upload that is there for the caller to read. @throws UploadError `UPLOAD_NOT_FOUND`, or 410 codes */
export async function readable(context: Context, id: string, caller: Caller): Promise<Upload> {
  return there(await authorised(context, id, 'read', caller))
}
