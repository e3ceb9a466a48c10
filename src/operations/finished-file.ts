import { randomUUID } from 'node:crypto'
import { type Action, type Caller, subjectOfFile } from '../access.ts'
import { isUploadError, UploadError } from '../errors.ts'
import type { FileRecord } from '../files.ts'
import { current } from './authorised.ts'
import { remove } from './cancel.ts'
import type { Context } from './context.ts'
import { published } from './file-url.ts'
import { load } from './records.ts'
import { wantLogin } from './upload-token.ts'

/** What keeps a file from its caller. To the caller it is all one: there is no such file. */
const ABSENT: ReadonlySet<string> = new Set(['UPLOAD_NOT_FOUND', 'UPLOAD_CANCELLED', 'UPLOAD_EXPIRED', 'UPLOAD_FAILED'])

/**
 * The record of a finished file, if the caller may do this to it: the record itself says whose it is, so that one who may
 * not waits for no more than where there is none. The upload that made the file has the word whether it is there: its end
 * is recorded before the file's record goes, and its completion after that record came.
 * @throws UploadError `FILE_NOT_FOUND`, also for what the caller may not see; `UNAUTHENTICATED` to an upload's token
 */
export async function finishedFile(
  context: Context,
  fileId: string,
  action: Action,
  caller: Caller,
): Promise<FileRecord> {
  wantLogin(caller)
  const { files } = context.storage
  const fromMemory = files.remembers?.(fileId) === true
  const file = await files.get(fileId)
  if (file === null) throw new UploadError('FILE_NOT_FOUND')
  if (!(await context.options.authorize(caller.principal, action, subjectOfFile(file)))) {
    // What there is none of is in nobody's memory: who is denied waits for the same.
    if (fromMemory) await files.get(randomUUID())
    throw new UploadError('FILE_NOT_FOUND')
  }
  const known = await load(context, file.uploadId)
  const upload = known === null ? null : await orAbsent(current(context, known))
  if (upload?.status !== 'uploaded' || upload.manifest.fileId !== fileId) throw new UploadError('FILE_NOT_FOUND')
  return published(context.options, file)
}

/** See {@link Uploads.removeFile}. */
export function removeFile(context: Context, fileId: string, caller: Caller): Promise<void> {
  return context.bodies.run(async () => {
    const { uploadId } = await finishedFile(context, fileId, 'cancel', caller)
    await orAbsent(remove(context, uploadId))
  })
}

async function orAbsent<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (isUploadError(error) && ABSENT.has(error.code)) throw new UploadError('FILE_NOT_FOUND')
    throw error
  }
}
