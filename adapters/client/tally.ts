import type { UploadStatus } from './contract.ts'
import type { ResumableUploadError } from './errors.ts'
import { derived, type TaskState, type UploadProgress } from './progress.ts'
import { SpeedMeter } from './speed-meter.ts'

/** Which upload is counted. */
export interface TalliedSession {
  readonly id: string
  readonly totalChunks: number
}

/** Counts how far an upload is, and tells of every change. */
export class Tally {
  readonly #fileName: string
  readonly #totalSize: number
  readonly #tell: (progress: UploadProgress) => void
  readonly #meter = new SpeedMeter()
  /** Bytes of chunks on their way, by number. */
  readonly #sent = new Map<number, number>()
  #session: TalliedSession | null = null
  #state: TaskState = 'starting'
  #trouble: ResumableUploadError | null = null
  #durable = 0
  #chunks = 0

  constructor(fileName: string, totalSize: number, tell: (progress: UploadProgress) => void) {
    this.#fileName = fileName
    this.#totalSize = totalSize
    this.#tell = tell
  }

  get progress(): UploadProgress {
    const counted = {
      totalSize: this.#totalSize,
      uploadedBytes: this.#bytes,
      bytesPerSecond: Math.round(this.#meter.bytesPerSecond(performance.now())),
    }
    return {
      state: this.#state,
      trouble: this.#trouble,
      sessionId: this.#session?.id ?? null,
      fileName: this.#fileName,
      ...counted,
      ...derived(counted),
      chunksUploaded: this.#chunks,
      totalChunks: this.#session?.totalChunks ?? null,
      status: this.#status,
    }
  }

  /** A session is at hand that has so much already. */
  begin(session: TalliedSession, durableBytes: number, chunks: number): void {
    this.#session = session
    this.#durable = durableBytes
    this.#chunks = chunks
    this.#sent.clear()
    this.#meter.restart(durableBytes, performance.now())
  }

  /** The session is gone: all begins anew. */
  reset(): void {
    this.#session = null
    this.#durable = 0
    this.#chunks = 0
    this.#sent.clear()
  }

  enter(state: TaskState, trouble: ResumableUploadError | null = null): void {
    this.#state = state
    this.#trouble = trouble
    // What was on its way is not any more.
    if (state === 'paused' || state === 'failed') this.#sent.clear()
    this.#tell(this.progress)
  }

  /** So much of a chunk has left. */
  sending(number: number, bytes: number): void {
    if (this.#rests) return
    this.#sent.set(number, bytes)
    this.#moved()
  }

  /** A request came to nothing, and waits. */
  wait(trouble: ResumableUploadError, number?: number): void {
    if (number !== undefined) this.#sent.delete(number)
    if (!this.#rests) this.enter('waiting', trouble)
  }

  /** The server has a chunk. */
  stored(number: number, bytes: number): void {
    this.#sent.delete(number)
    this.#durable += bytes
    this.#chunks += 1
    this.#moved()
  }

  #moved(): void {
    this.#meter.add(this.#bytes, performance.now())
    if (!this.#rests) this.enter('uploading')
  }

  /** An answer may come after it was paused: it counts, and wakes nobody. */
  get #rests(): boolean {
    return this.#state === 'paused' || this.#state === 'failed'
  }

  get #bytes(): number {
    let bytes = this.#durable
    for (const sent of this.#sent.values()) bytes += sent
    // A body may have more than its bytes around it.
    return Math.min(bytes, this.#totalSize)
  }

  get #status(): UploadStatus {
    if (this.#state === 'done') return 'uploaded'
    if (this.#state === 'completing') return 'completing'
    return this.#chunks === 0 ? 'initiated' : 'uploading'
  }
}
