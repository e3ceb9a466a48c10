import { Api } from './api.ts'
import type {
  InitiatedUpload,
  ResumedUpload,
  ServerProgress,
  StoredChunk,
  UploadedFile,
  UploadList,
} from './contract.ts'
import { type RememberedUpload, UploadMemory } from './memory.ts'
import { resolveOptions, type ResolvedOptions, type ResumableUploaderOptions } from './options.ts'
import type { UploadProgress } from './progress.ts'
import { randomKey } from './random-key.ts'
import { nameOf, type UploadSource } from './source.ts'
import { type StartOptions, UploadTask } from './upload-task.ts'

/** What may be said of a single call. */
export interface SingleCallOptions {
  readonly signal?: AbortSignal
  /** The upload's own token. @default that of an upload which this uploader has initiated, else the login */
  readonly uploadToken?: string | null
}

/**
 * Uploads files to a server of the JSON API, in chunks, through what networks and servers do meanwhile.
 *
 * @example
 * const uploader = new ResumableUploader('https://uploads.example.com')
 * uploader.onProgress = ({ percentComplete }) => show(percentComplete)
 * const file = await uploader.uploadFile(input.files[0])
 */
export class ResumableUploader {
  readonly #options: ResolvedOptions
  readonly #api: Api
  readonly #told: ResumableUploaderOptions['onProgress']
  readonly #tasks = new Set<UploadTask>()
  /** Under what running uploads are remembered. */
  readonly #keys = new Set<string>()
  /** Tokens of uploads that were begun call by call. */
  readonly #tokens = new Map<string, string>()

  /**
   * @param baseUrl scheme and host of the server, and the path it is mounted under, if any; on a page it may be relative
   * @throws TypeError naming the option that is wrong
   */
  constructor(baseUrl: string, options: ResumableUploaderOptions = {}) {
    this.#options = resolveOptions(baseUrl, options)
    this.#api = new Api(this.#options)
    this.#told = options.onProgress
  }

  /** Told of every change of every upload. To be assigned or overridden. */
  onProgress(progress: UploadProgress): void {
    this.#told?.(progress)
  }

  /**
   * Uploads a file: takes up what was begun of it before, or begins.
   * @throws ResumableUploadError with the contract's code, or one of the client's; the signal's reason
   */
  uploadFile(
    file: UploadSource,
    metadata: Readonly<Record<string, unknown>> = {},
    options: Omit<StartOptions, 'metadata'> = {},
  ): Promise<UploadedFile> {
    return this.start(file, { ...options, metadata }).done
  }

  /** The same, as a task that can be paused, gone on with and cancelled. */
  start(file: UploadSource, options: StartOptions = {}): UploadTask {
    const { lastModified = 0, size } = file
    const name = options.fingerprint ?? options.fileName ?? nameOf(file)
    const key = UploadMemory.keyOf(this.#options.api, { name, size, lastModified })
    // The same file twice at a time is two uploads, of which the first is remembered.
    const isFirst = !this.#keys.has(key)
    const memory = new UploadMemory(isFirst ? this.#options.storage : null)
    const tell = (progress: UploadProgress): void => {
      options.onProgress?.(progress)
      this.onProgress(progress)
    }
    const task = new UploadTask(file, options, { api: this.#api, options: this.#options, memory, key, tell })
    this.#tasks.add(task)
    this.#keys.add(key)
    const end = (): void => {
      this.#tasks.delete(task)
      if (isFirst) this.#keys.delete(key)
    }
    task.done.then(end, end)
    return task
  }

  /** Pauses all uploads that run. */
  pause(): void {
    for (const task of this.#tasks) task.pause()
  }

  /** Goes on with all of them. */
  resume(): void {
    for (const task of this.#tasks) task.resume()
  }

  /** Cancels all uploads that run. */
  async cancel(): Promise<void> {
    await Promise.all([...this.#tasks].map((task) => task.cancel()))
  }

  /** What was begun at this server and not finished, as far as `storage` remembers: choose the file again to go on. */
  remembered(): Promise<RememberedUpload[]> {
    return new UploadMemory(this.#options.storage).list(this.#options.api)
  }

  /** Forgets an upload that is remembered. On the server it stays, until it expires or is cancelled. */
  async forget({ id }: Pick<RememberedUpload, 'id'>): Promise<void> {
    const memory = new UploadMemory(this.#options.storage)
    for (const { id: known, key } of await memory.list(this.#options.api)) if (known === id) await memory.forget(key)
  }

  /** The same, and cancels it on the server. */
  async discard(upload: RememberedUpload, options: SingleCallOptions = {}): Promise<void> {
    await this.forget(upload)
    await this.cancelUpload(upload.id, { ...options, uploadToken: upload.uploadToken })
  }

  /** Begins an upload, and does no more. {@link uploadFile} does all. */
  async initiateUpload(
    file: Pick<UploadSource, 'name' | 'size' | 'type'>,
    metadata: Readonly<Record<string, unknown>> = {},
    options: SingleCallOptions & { readonly idempotencyKey?: string } = {},
  ): Promise<InitiatedUpload> {
    const { chunkSize } = this.#options
    const { name = 'blob', size, type = '' } = file
    const request = { fileName: name, fileSize: size, contentType: type, metadata }
    const key = options.idempotencyKey ?? randomKey()
    const asked = chunkSize === null ? request : { ...request, chunkSize }
    const upload = await this.#api.initiate(asked, key, callOf(options))
    if (upload.uploadToken !== undefined) this.#tokens.set(upload.id, upload.uploadToken)
    return upload
  }

  /** Sends one chunk. `chunk` is exactly what the server's `chunkSize` says. */
  async uploadChunk(
    sessionId: string,
    chunkNumber: number,
    chunk: Blob | ArrayBuffer,
    options: SingleCallOptions = {},
  ): Promise<StoredChunk> {
    const bytes = chunk instanceof ArrayBuffer ? chunk : await chunk.arrayBuffer()
    const checksum = await this.#options.sha256(bytes)
    return this.#api.chunk(sessionId, chunkNumber, bytes, { ...this.#callOn(sessionId, options), checksum })
  }

  /** How far an upload is, as the server says. */
  getProgress(sessionId: string, options: SingleCallOptions = {}): Promise<ServerProgress> {
    return this.#api.progress(sessionId, this.#callOn(sessionId, options))
  }

  /** Makes the file, when all chunks are there. */
  completeUpload(sessionId: string, options: SingleCallOptions = {}): Promise<UploadedFile> {
    return this.#api.complete(sessionId, this.#callOn(sessionId, options))
  }

  /** Keeps an upload alive, and says what is missing. To go on with it: `start(file, { resume: { id } })`. */
  resumeUpload(sessionId: string, options: SingleCallOptions = {}): Promise<ResumedUpload> {
    return this.#api.resume(sessionId, this.#callOn(sessionId, options))
  }

  /** Cancels an upload on the server. */
  async cancelUpload(sessionId: string, options: SingleCallOptions = {}): Promise<void> {
    await this.#api.cancel(sessionId, this.#callOn(sessionId, options))
    this.#tokens.delete(sessionId)
  }

  /** The unfinished uploads of who is logged in; the newest first. */
  listUploads(
    query: { readonly limit?: number; readonly cursor?: string } & SingleCallOptions = {},
  ): Promise<UploadList> {
    const { limit, cursor } = query
    const asked = {
      ...(limit === undefined ? {} : { limit: String(limit) }),
      ...(cursor === undefined ? {} : { cursor }),
    }
    return this.#api.list(asked, callOf(query))
  }

  #callOn(sessionId: string, options: SingleCallOptions) {
    return { ...callOf(options), token: options.uploadToken ?? this.#tokens.get(sessionId) ?? null }
  }
}

function callOf({ signal = new AbortController().signal }: SingleCallOptions) {
  return { signal }
}
