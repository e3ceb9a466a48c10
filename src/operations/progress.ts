import type { Caller } from '../access.ts'
import { UploadError } from '../errors.ts'
import { progressOf, type Progress } from '../progress.ts'
import { isOpen, type Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { authorised, readable } from './authorised.ts'
import { commit, there } from './records.ts'

/** See {@link Uploads.progress}. */
export async function progress(context: Context, id: string, caller: Caller): Promise<Progress> {
  return withSpeed(context, await readable(context, id, caller))
}

/** See {@link Uploads.resume}. */
export async function resume(context: Context, id: string, caller: Caller): Promise<Progress> {
  return context.bodies.run(async () => {
    const upload = there(await authorised(context, id, 'write', caller))
    if (upload.status === 'uploaded') throw new UploadError('UPLOAD_COMPLETED')
    return withSpeed(context, isOpen(upload) ? await commit(context, upload, [{ type: 'touch' }], null) : upload)
  })
}

function withSpeed(context: Context, upload: Upload): Progress {
  const meter = context.speeds.get(upload.manifest.id)
  return progressOf(upload, meter?.bytesPerSecond(context.options.now()) ?? 0)
}
