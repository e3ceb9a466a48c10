import { ResumableUploadError, type ResumableUploader, type UploadTask } from '../../../client/index.ts'
import type { Engine, Transfer, TransferEvents, Unfinished } from './transfer.ts'

/** Uploads by the JSON API, with Holdfast's own client. */
export class JsonEngine implements Engine {
  readonly #uploader: ResumableUploader

  constructor(uploader: ResumableUploader) {
    this.#uploader = uploader
  }

  start(file: File, events: TransferEvents, from?: Unfinished): Transfer {
    const resume =
      from === undefined ? {} : { resume: { id: from.id, ...(from.token === null ? {} : { uploadToken: from.token }) } }
    const task = this.#uploader.start(file, {
      ...resume,
      onProgress: ({ trouble, ...progress }) => events.onProgress({ ...progress, trouble: trouble?.message ?? '' }),
    })
    void follow(task, events)
    return transferOf(task)
  }

  async unfinished(): Promise<readonly Unfinished[]> {
    const remembered = await this.#uploader.remembered()
    return remembered.map((upload) => ({
      protocol: 'json' as const,
      id: upload.id,
      fileName: upload.fileName,
      fileSize: upload.fileSize,
      startedAt: Date.parse(upload.startedAt),
      token: upload.uploadToken,
      forget: () => this.#uploader.forget(upload),
    }))
  }
}

async function follow(task: UploadTask, events: TransferEvents): Promise<void> {
  try {
    events.onDone(await task.done)
  } catch (error) {
    if (!isCancelled(error)) events.onFailed(error instanceof Error ? error.message : String(error))
  }
}

function transferOf(task: UploadTask): Transfer {
  return { pause: () => task.pause(), resume: () => task.resume(), cancel: () => task.cancel() }
}

function isCancelled(error: unknown): boolean {
  return error instanceof ResumableUploadError && error.code === 'CANCELLED'
}
