import type { Api, CallOptions } from './api.ts'
import { ChunkWork } from './chunk-work.ts'
import type { UploadedFile } from './contract.ts'
import { codeOf, ResumableUploadError } from './errors.ts'
import type { UploadMemory } from './memory.ts'
import type { ResolvedOptions } from './options.ts'
import type { UploadProgress } from './progress.ts'
import { randomKey } from './random-key.ts'
import { nameOf, type UploadSource } from './source.ts'
import { Tally } from './tally.ts'
import { UploadSession, type UploadPlan } from './upload-session.ts'
import { waitFor } from './wait.ts'

/** What an upload is started with. */
export interface StartOptions {
  /** Any JSON object of at most 8 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** The file's name on the server. @default the file's own */
  readonly fileName?: string
  /** The SHA-256, in hex, that the whole file must have: another one makes it fail. @default none */
  readonly checksum?: string
  /**
   * An unfinished upload to go on with, wherever it was begun. The file must be of its size, and what is there already is
   * compared. @default what is remembered of this file, else a new upload
   */
  readonly resume?: { readonly id: string; readonly uploadToken?: string }
  /**
   * By what the file is known when it is started again, with its size and time of change: its path, where names are not
   * enough. @default its name
   */
  readonly fingerprint?: string
  /** Stops the upload, which can be gone on with by starting it again. */
  readonly signal?: AbortSignal
  /** Told of this upload alone. */
  readonly onProgress?: (progress: UploadProgress) => void
}

/** What a task works with. */
export interface TaskTools {
  readonly api: Api
  readonly options: ResolvedOptions
  readonly memory: UploadMemory
  /** Under what the upload is remembered. */
  readonly key: string
  readonly tell: (progress: UploadProgress) => void
}

/** How often an upload that is gone, or of another file, is begun anew. */
const FRESH_STARTS = 2
/** How often chunks are sent again that the server has lost. */
const REPAIRS = 3
/** Ends after which the file has to be sent anew. */
const GONE: ReadonlySet<unknown> = new Set(['UPLOAD_NOT_FOUND', 'UPLOAD_EXPIRED', 'CHUNK_CONFLICT'])
/** The same of an upload that somebody ended before this task took it up. */
const ENDED: ReadonlySet<unknown> = new Set([...GONE, 'UPLOAD_CANCELLED', 'UPLOAD_FAILED'])

/** One file on its way. */
export class UploadTask {
  /**
   * The finished file. It rejects with a `ResumableUploadError`, or with the reason of the signal; that nobody listens is no
   * error of the program's: `onProgress` tells of it too.
   */
  readonly done: Promise<UploadedFile>
  readonly #tools: TaskTools
  readonly #source: UploadSource
  readonly #start: StartOptions
  readonly #tally: Tally
  /** Aborts when the task is over by somebody's will. */
  readonly #stopped = new AbortController()
  #round = new AbortController()
  #session: UploadSession | null = null
  #work: ChunkWork | null = null
  #idempotencyKey = randomKey()
  #freshStarts = 0
  #repairs = 0
  #paused = false
  #goOn = (): void => {}
  #over = false

  constructor(source: UploadSource, start: StartOptions, tools: TaskTools) {
    this.#source = source
    this.#start = start
    this.#tools = tools
    this.#tally = new Tally(start.fileName ?? nameOf(source), source.size, tools.tell)
    const { signal } = start
    const onAbort = (): void => this.#stop(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    this.done = this.#run().finally(() => {
      this.#over = true
      signal?.removeEventListener('abort', onAbort)
    })
    if (signal?.aborted === true) onAbort()
    this.done.catch(() => {})
  }

  /** How far it is. */
  get progress(): UploadProgress {
    return this.#tally.progress
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Stops sending at once. Chunks that are half sent are sent again by {@link resume}. */
  pause(): void {
    if (this.#paused || this.#over) return
    this.#paused = true
    this.#round.abort(new Error('paused'))
    this.#tally.enter('paused')
  }

  /** Goes on with what the server has not. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#goOn()
  }

  /**
   * Ends the upload on the server too, and forgets it; `done` rejects with `CANCELLED`. Resolves when the server has said so.
   * @throws ResumableUploadError `UPLOAD_COMPLETED` where the file was finished first; what keeps the server from answering
   */
  async cancel(): Promise<void> {
    if (this.#over) return
    this.#stop(new ResumableUploadError('CANCELLED', 'The upload was cancelled.'))
    await this.done.catch(() => {})
    const { api, memory, key } = this.#tools
    const session = this.#session ?? (await UploadSession.remembered(memory, key))
    if (session === null) return
    await session.forget()
    const { signal } = new AbortController()
    await api.cancel(session.id, { signal, token: session.token }).catch((error: unknown) => {
      if (!ENDED.has(codeOf(error))) throw error
    })
  }

  #stop(reason: unknown): void {
    if (this.#over) return
    this.#stopped.abort(reason)
    this.#round.abort(reason)
    this.#goOn()
  }

  async #run(): Promise<UploadedFile> {
    // After whoever starts it has got hold of it.
    await Promise.resolve()
    try {
      for (;;) {
        const file = await this.#attempt()
        if (file !== null) return file
      }
    } catch (error) {
      this.#tally.enter('failed', error instanceof ResumableUploadError ? error : null)
      throw error
    }
  }

  /** The finished file; null where it has to be tried once more. */
  async #attempt(): Promise<UploadedFile | null> {
    if (this.#paused) await new Promise<void>((resolve) => (this.#goOn = resolve))
    this.#stopped.signal.throwIfAborted()
    this.#round = new AbortController()
    try {
      return await this.#upload(this.#round.signal)
    } catch (error) {
      this.#stopped.signal.throwIfAborted()
      // Paused; or gone on with already.
      if (this.#round.signal.aborted) return null
      if (!(await this.#canBeTriedAgain(error))) throw error
      return null
    }
  }

  async #upload(signal: AbortSignal): Promise<UploadedFile> {
    const { api, options } = this.#tools
    this.#tally.enter('starting')
    const { session, plan } = await this.#plan(signal)
    const { bytes, chunks } = session.measure(plan.present)
    this.#tally.begin(session, bytes, chunks)
    this.#work ??= new ChunkWork(
      { api, source: this.#source, sha256: options.sha256, tally: this.#tally, parallel: options.parallel },
      session,
    )
    await this.#work.run(plan, signal)
    this.#tally.enter('completing')
    const file = await this.#complete(session, signal)
    await session.forget()
    this.#tally.enter('done')
    return file
  }

  /** The session at hand, and what it lacks. */
  async #plan(signal: AbortSignal): Promise<{ readonly session: UploadSession; readonly plan: UploadPlan }> {
    const { api, memory, key } = this.#tools
    const call = this.#call(signal)
    if (this.#session !== null) return { session: this.#session, plan: await this.#session.plan(api, call) }
    const known = await this.#known(call)
    if (known !== null) {
      this.#session = known
      try {
        return { session: known, plan: await known.plan(api, call) }
      } catch (error) {
        if (this.#start.resume !== undefined || !ENDED.has(codeOf(error))) throw error
        await this.#forget()
      }
    }
    const { metadata = {}, checksum, fileName = nameOf(this.#source) } = this.#start
    const { chunkSize } = this.#tools.options
    const request = {
      fileName,
      fileSize: this.#source.size,
      contentType: this.#source.type ?? '',
      metadata,
      ...(chunkSize === null ? {} : { chunkSize }),
      ...(checksum === undefined ? {} : { checksum }),
    }
    const upload = await api.initiate(request, this.#idempotencyKey, call)
    const session = await UploadSession.begun(memory, key, this.#tools.options.api, upload)
    this.#session = session
    // The key may have found what an earlier attempt has begun; no chunk was sent before its session was known.
    return { session, plan: session.whole() }
  }

  /** The session to take up, or null. */
  async #known(call: CallOptions): Promise<UploadSession | null> {
    const { api, memory, key, options } = this.#tools
    const { resume } = this.#start
    const remembered = await UploadSession.remembered(memory, key)
    if (resume === undefined || remembered?.id === resume.id) return remembered
    const { id, uploadToken = null } = resume
    const told = await api.progress(id, { ...call, token: uploadToken })
    const { fileId, fileName, totalSize, totalChunks, chunkSize } = told
    if (totalSize !== this.#source.size || totalChunks === null) {
      throw new ResumableUploadError(
        'CHUNK_CONFLICT',
        `The upload is of ${fileName} and ${totalSize ?? 'unknown'} bytes; this file has ${this.#source.size}.`,
      )
    }
    const facts = { id, uploadToken, fileId, fileName, fileSize: totalSize, chunkSize, totalChunks, api: options.api }
    return UploadSession.adopted(memory, key, { ...facts, startedAt: new Date().toISOString(), sums: {} })
  }

  async #complete({ id, token }: UploadSession, signal: AbortSignal): Promise<UploadedFile> {
    const { api, options } = this.#tools
    const deadline = performance.now() + options.checksumTimeoutMs
    for (;;) {
      const left = deadline - performance.now()
      // Where there is less time than a server takes anyway, it is told.
      const wait = left < 20_000 ? { waitMs: Math.max(0, left) } : {}
      const file = await api.complete(id, { ...this.#call(signal), token, ...wait })
      if (file.checksumStatus !== 'computing' || performance.now() >= deadline) return file
      await waitFor(500, signal)
    }
  }

  async #canBeTriedAgain(error: unknown): Promise<boolean> {
    const code = codeOf(error)
    if (code === 'CHUNKS_MISSING') return (this.#repairs += 1) <= REPAIRS
    if (!GONE.has(code) || this.#start.resume !== undefined) return false
    if (this.#session === null || (this.#freshStarts += 1) > FRESH_STARTS) return false
    await this.#forget()
    return true
  }

  async #forget(): Promise<void> {
    await this.#session?.forget()
    this.#session = null
    this.#work = null
    this.#idempotencyKey = randomKey()
    this.#tally.reset()
  }

  #call(signal: AbortSignal): CallOptions {
    return { signal, onTrouble: (error) => this.#tally.wait(error) }
  }
}
