import { isUploadError, UploadError } from '../errors.ts'
import { dropTransients, type Context } from './context.ts'
import { recover } from './records.ts'

/** Forgets an upload, and what was read of its bytes: they come anew. */
export async function forgetUpload(context: Context, id: string): Promise<void> {
  await context.state.forget(id)
  context.digests.drop(id)
  dropTransients(context, id)
}

/**
 * Does work on the bytes of an upload, under a lock. Where storage says that it does not hold what state believes, state is
 * behind (a commit was lost after storage's record) or ahead (an fsync has failed): it is made anew from storage, and the
 * client is told to look again.
 */
export async function healing<T>(context: Context, id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isUploadError(error) || error.code !== 'CHUNKS_MISSING') throw error
    await forgetUpload(context, id)
    await recover(context, id)
    throw new UploadError('UPLOAD_LOCKED', {
      message: 'What is stored of this upload had to be looked up. Ask how far it is, and go on from there.',
      cause: error,
    })
  }
}
