import type { Caller } from '../access.ts'
import { UploadError } from '../errors.ts'
import { progressOf, type Progress } from '../progress.ts'
import { isOpen, type Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { authorised } from './authorised.ts'
import { commit, fresh, there } from './records.ts'

/** See {@link Uploads.progress}. */
export async function progress(context: Context, id: string, caller: Caller): Promise<Progress> {
  return withSpeed(context, there(await authorised(context, id, 'read', caller)))
}

/** A chunk that no upload has: it waits for nobody but who cancels, completes or expires the upload. */
const NO_CHUNK = { kind: 'chunk', number: Number.MAX_SAFE_INTEGER } as const

/** See {@link Uploads.resume}. */
export async function resume(context: Context, id: string, caller: Caller): Promise<Progress> {
  return context.bodies.run(async () => {
    there(await authorised(context, id, 'write', caller))
    const lock = await context.state.locks.acquire(id, { scope: NO_CHUNK, waitMs: context.options.lockWaitMs })
    try {
      const upload = await fresh(context, id)
      if (upload.status === 'uploaded') throw new UploadError('UPLOAD_COMPLETED')
      return withSpeed(context, isOpen(upload) ? await commit(context, upload, [{ type: 'touch' }], lock) : upload)
    } finally {
      await lock.release()
    }
  })
}

/** The progress of an upload, with the speed at which this process sees it grow. */
export function withSpeed(context: Context, upload: Upload): Progress {
  const meter = context.speeds.get(upload.manifest.id)
  return progressOf(upload, meter?.bytesPerSecond(context.options.now()) ?? 0)
}
