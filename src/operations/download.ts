import type { Readable } from 'node:stream'
import type { Caller } from '../access.ts'
import { UploadError } from '../errors.ts'
import type { FileRecord } from '../files.ts'
import type { Context } from './context.ts'
import { authorised } from './authorised.ts'
import { finishedFile } from './finished-file.ts'
import { there } from './records.ts'

/** A finished file, and a way to its bytes. */
export interface Download {
  readonly file: FileRecord
  /** Where its client may fetch it himself, from a CDN or the storage; null where there is no such place. */
  readonly url: () => Promise<string | null>
  /**
   * Opens the bytes `[start, end)`; all of them by default. The caller reads or destroys the stream.
   * @throws UploadError `FILE_NOT_FOUND` when it was removed meanwhile
   */
  readonly open: (start?: number, end?: number) => Promise<Readable>
}

/** See {@link Uploads.download}. */
export function download(context: Context, id: string, caller: Caller): Promise<Download> {
  return context.bodies.run(async () => {
    const upload = there(await authorised(context, id, 'download', caller))
    const file = upload.status === 'uploaded' ? await context.storage.files.get(upload.manifest.fileId) : null
    if (file === null) throw new UploadError('UPLOAD_NOT_FOUND', { message: 'There is no finished file here.' })
    return downloadOf(context, file)
  })
}

/** See {@link Uploads.downloadFile}. */
export function downloadFile(context: Context, fileId: string, caller: Caller): Promise<Download> {
  return context.bodies.run(async () => downloadOf(context, await finishedFile(context, fileId, 'download', caller)))
}

/** A stream that is open goes on while the server shuts down: only what begins then is refused. */
function downloadOf(context: Context, file: FileRecord): Download {
  return {
    file,
    url: async () =>
      file.url ?? (await context.bodies.run(async () => (await context.storage.downloadUrl?.(file.id)) ?? null)),
    open: (start = 0, end = file.size) => context.bodies.run(() => context.storage.openFile(file.id, start, end)),
  }
}
