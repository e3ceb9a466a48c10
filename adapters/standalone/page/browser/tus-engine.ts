import type { ResumableUploader } from '../../../client/index.ts'
import { SpeedMeter } from '../../../client/speed-meter.ts'
import type { Engine, Transfer, TransferEvents, TransferProgress, Unfinished } from './transfer.ts'
import type { TusPrevious } from './tus-js.ts'

/** Uploads by tus 1.0, with tus-js-client as it is. */
export class TusEngine implements Engine {
  readonly #endpoint: string
  readonly #headers: () => Readonly<Record<string, string>>
  readonly #uploader: ResumableUploader

  /** `uploader`: asks for the file, when it is made. An upload has the same id by both protocols. */
  constructor(endpoint: string, headers: () => Readonly<Record<string, string>>, uploader: ResumableUploader) {
    this.#endpoint = endpoint
    this.#headers = headers
    this.#uploader = uploader
  }

  start(file: File, events: TransferEvents, from?: Unfinished): Transfer {
    const meter = new SpeedMeter()
    let sent = 0
    let ended = false
    const tell = (state: TransferProgress['state'], trouble = ''): void => {
      const bytesPerSecond = meter.bytesPerSecond(performance.now())
      const secondsRemaining = bytesPerSecond > 0 ? (file.size - sent) / bytesPerSecond : null
      events.onProgress({ state, trouble, uploadedBytes: sent, bytesPerSecond, secondsRemaining })
    }
    const upload = new tus.Upload(file, {
      endpoint: this.#endpoint,
      ...(from === undefined ? {} : { uploadUrl: this.#addressOf(from.id) }),
      metadata: { filename: file.name, filetype: file.type },
      headers: this.#headers(),
      retryDelays: [0, 1000, 3000, 5000, 10_000, 20_000, 30_000],
      removeFingerprintOnSuccess: true,
      onProgress: (bytes) => {
        sent = bytes
        meter.add(bytes, performance.now())
        if (!ended) tell(bytes === file.size ? 'completing' : 'uploading')
      },
      onSuccess: () => {
        ended = true
        tell('completing')
        void this.#finish(upload.url, events)
      },
      onError: (error) => {
        if (ended) return
        ended = true
        events.onFailed(error.message)
      },
    })
    const begin = async (): Promise<void> => {
      const [previous] = from === undefined ? await upload.findPreviousUploads() : []
      if (previous !== undefined && isHere(previous, this.#endpoint)) upload.resumeFromPreviousUpload(previous)
      upload.start()
    }
    tell('starting')
    void begin()
    return {
      pause: () => {
        void upload.abort()
        tell('paused')
      },
      resume: () => {
        meter.restart(sent, performance.now())
        tell('starting')
        upload.start()
      },
      cancel: async () => {
        ended = true
        await upload.abort()
        if (upload.url !== null) await this.#uploader.cancelUpload(idOf(upload.url))
        await forget(upload.url)
      },
    }
  }

  async unfinished(): Promise<readonly Unfinished[]> {
    const all = await tus.defaultOptions.urlStorage.findAllUploads()
    return all
      .filter((previous) => isHere(previous, this.#endpoint))
      .map((previous) => ({
        protocol: 'tus' as const,
        id: idOf(previous.uploadUrl ?? ''),
        fileName: previous.metadata['filename'] ?? '',
        fileSize: previous.size ?? 0,
        startedAt: Date.parse(previous.creationTime),
        token: null,
        forget: () => tus.defaultOptions.urlStorage.removeUpload(previous.urlStorageKey),
      }))
  }

  /** Asks for the file, with its checksum: a tus client is told neither. */
  async #finish(url: string | null, events: TransferEvents): Promise<void> {
    try {
      await forget(url)
      events.onDone(await this.#uploader.completeUpload(idOf(url ?? '')))
    } catch (error) {
      events.onFailed(error instanceof Error ? error.message : String(error))
    }
  }

  #addressOf(id: string): string {
    return `${this.#endpoint.replace(/\/$/, '')}/${id}`
  }
}

/** Forgets what tus-js-client remembers of an address. */
async function forget(url: string | null): Promise<void> {
  for (const { uploadUrl, urlStorageKey } of await tus.defaultOptions.urlStorage.findAllUploads()) {
    if (url !== null && uploadUrl === url) await tus.defaultOptions.urlStorage.removeUpload(urlStorageKey)
  }
}

/** Whether an upload is at this server: other pages of this origin may have uploads of their own. */
function isHere({ uploadUrl }: TusPrevious, endpoint: string): boolean {
  return uploadUrl != null && new URL(uploadUrl, endpoint).pathname.startsWith(`${new URL(endpoint).pathname}/`)
}

function idOf(url: string): string {
  return (url.split('?', 1)[0] ?? '').split('/').at(-1) ?? ''
}
