import type { Authenticate, Caller } from './access.ts'
import type { CreateInput } from './create-input.ts'
import type { UploadEvents } from './events.ts'
import type { FileRecord } from './files.ts'
import type { ChunkEntry } from './ledger.ts'
import { append } from './operations/append.ts'
import type { AppendInput } from './operations/append-place.ts'
import { cancel, terminate } from './operations/cancel.ts'
import { complete, settle, type Completed, type CompleteInput, type Settled } from './operations/complete.ts'
import { concatenate, type ConcatenatedUpload, type ConcatenateInput } from './operations/concatenate.ts'
import { create, type CreatedUpload, type Idempotency } from './operations/create.ts'
import { authorised } from './operations/authorised.ts'
import type { Context } from './operations/context.ts'
import { createContext } from './operations/create-context.ts'
import { download, downloadFile, type Download } from './operations/download.ts'
import { finishedFile, removeFile } from './operations/finished-file.ts'
import { DEFAULT_LIST, listOpen, MAX_LIST, type ListInput, type OpenPage } from './operations/list-open.ts'
import { progress, resume } from './operations/progress.ts'
import { putChunk, type ChunkInput } from './operations/put-chunk.ts'
import { stats, type UploadsStats } from './operations/stats.ts'
import { type SweepOptions, type SweepStep, sweepOnce } from './operations/sweep-once.ts'
import { there } from './operations/records.ts'
import { redeem, type TokenBearer } from './operations/upload-token.ts'
import { type News, watch, type Watch } from './operations/watch.ts'
import type { UploadsOptions } from './options.ts'
import type { Progress } from './progress.ts'
import type { RateCounter } from './state/rate-counter.ts'
import type { Upload } from './upload.ts'

/**
 * The core. Every face calls this and nothing deeper; every method asks `authorize` before it tells or changes anything.
 * A method that is denied an upload throws `UPLOAD_NOT_FOUND`, as for one that does not exist.
 */
export class Uploads {
  readonly #context: Context
  readonly #clock: () => number
  #opened = false
  #closed: Promise<void> = Promise.resolve()

  /** @throws TypeError naming the option that is wrong */
  constructor(options: UploadsOptions) {
    this.#context = createContext(options)
    this.#clock = options.now ?? Date.now
  }

  /** What happens to uploads, as typed events. */
  get events(): UploadEvents {
    return this.#context.events
  }

  /** The option of that name, for adapters; null where nobody is to be asked. */
  get authenticate(): Authenticate | null {
    return this.#context.options.authenticate
  }

  /** Counts requests for all processes, for adapters; null where this one is all there are. */
  get rateCounter(): RateCounter | null {
    return this.#context.state.rates
  }

  /** Largest file, bytes, or null. */
  get maxFileSize(): number | null {
    return this.#context.options.maxFileSize
  }

  /** The option of that name, ms: adapters end downloads by it. */
  get idleTimeoutMs(): number {
    return this.#context.options.idleTimeoutMs
  }

  /** Whether the checksum of a file is computed where it is not known: `fileChecksum` is `full`. */
  get computesChecksums(): boolean {
    return this.#context.options.fileChecksum === 'full'
  }

  /** What this process is doing, for metrics. Costs next to nothing. */
  stats(): UploadsStats {
    return stats(this.#context, this.#context.sweeper.stats)
  }

  /** Whether {@link Uploads.close} has begun. */
  get draining(): boolean {
    return this.#context.bodies.draining
  }

  /**
   * Gets storage ready and starts sweeping, which takes up again what a crash interrupted. Call it once, before requests.
   * @throws Error in one line, for the operator, when storage cannot be had
   */
  async open(): Promise<void> {
    const { options } = this.#context
    await options.storage.open()
    await options.state.open(this.#clock)
    this.#opened = true
    this.#context.sweeper.start()
  }

  /**
   * Does what the sweeper does hourly, once, now: in a process that serves, or, instead of {@link Uploads.open}, in one that
   * does nothing else. A dry run is for the latter only: it changes nothing, takes no lock, and may run beside whoever owns
   * the storage. Where state is in memory, only the process that serves knows when uploads expire: here their time begins
   * anew. Resolves with how many uploads were looked at.
   * @throws Error in one line, for the operator, when storage cannot be had, or another process is sweeping
   */
  async sweep(options: SweepOptions = {}): Promise<number> {
    const { dryRun = false } = options
    if (!this.#opened) {
      const { storage, state } = this.#context
      await storage.open({ readOnly: dryRun })
      await state.open(this.#clock)
      this.#opened = true
    } else if (dryRun) throw new Error('sweep: a dry run is for a process that has not opened its uploads.')
    return sweepOnce(this.#context, options, () => this.draining)
  }

  /**
   * Whether storage and state answer.
   * @throws UploadError `STORAGE_UNAVAILABLE`, `STATE_UNAVAILABLE`
   */
  async check(): Promise<void> {
    await Promise.all([this.#context.storage.check(), this.#context.state.check()])
  }

  /**
   * Begins an upload. With the same idempotency key, principal and input as within the last 24 h: the upload begun then.
   * @throws UploadError `INVALID_REQUEST`, `FILE_TOO_LARGE`, `QUOTA_EXCEEDED`, `FORBIDDEN`, `IDEMPOTENCY_KEY_REUSED`
   */
  create(input: CreateInput, caller: Caller, idempotency?: Idempotency): Promise<CreatedUpload> {
    return create(this.#context, input, caller, idempotency)
  }

  /**
   * Makes a file of the bytes of uploads that were created as partial ones. The same request finds the upload that it has
   * made before, also after its parts are gone. Resolves when the file stands.
   * @throws UploadError `INVALID_REQUEST` where a part is none or not whole; `UPLOAD_NOT_FOUND`, 410 codes where one is not
   * there, or not the caller's; `FILE_TOO_LARGE`, `FORBIDDEN`; `UPLOAD_LOCKED` while it is being made: ask again
   */
  concatenate(input: ConcatenateInput, caller: Caller): Promise<ConcatenatedUpload> {
    return concatenate(this.#context, input, caller)
  }

  /**
   * Who speaks by the token of an upload, where `text` is one of this upload, and it has not ended too long ago; else null.
   * The token's caller is its owner, for whom `authorize` is asked as ever: what the owner may not do the token may not.
   */
  redeem(id: string, text: string): Promise<TokenBearer | null> {
    return redeem(this.#context, id, text)
  }

  /**
   * The upload as the ledger has it, without waiting for anybody; `action` is what the caller is about to do with it.
   * @throws UploadError `UPLOAD_NOT_FOUND`, or 410 codes
   */
  async find(id: string, caller: Caller, action: 'read' | 'write' = 'read'): Promise<Upload> {
    return there(await authorised(this.#context, id, action, caller))
  }

  /**
   * The upload with an offset that will not move under the caller: a live append is asked to let go and has recorded what
   * it received; where every chunk is durable, completion has been driven.
   * @throws UploadError `UPLOAD_LOCKED` while that takes too long; `UPLOAD_NOT_FOUND`, or 410 codes
   */
  settle(id: string, caller: Caller, signal?: AbortSignal): Promise<Settled> {
    return settle(this.#context, id, caller, signal)
  }

  /**
   * Appends a body at the offset (the tus face). Keeps every byte received, also when the body is cut; of a body with
   * declared checksums all, once they are verified, or nothing.
   * @throws UploadError `FORBIDDEN` where every byte is stored and the caller may not complete; `OFFSET_MISMATCH`
   * (details.offset), `CHUNK_CONFLICT`, `CHECKSUM_MISMATCH`, `UPLOAD_LOCKED`, `FILE_TOO_LARGE`, `BODY_TOO_LARGE`, `TIMEOUT`,
   * `STORAGE_FULL`, 410 codes
   */
  append(id: string, input: AppendInput, caller: Caller): Promise<Settled> {
    return append(this.#context, id, input, caller)
  }

  /**
   * Stores one chunk (the JSON face). The same bytes for a durable chunk answer with the recorded entry, in any state.
   * @throws UploadError `INVALID_CHUNK_NUMBER`, `CHUNK_SIZE_MISMATCH`, `CHECKSUM_MISMATCH`, `CHUNK_CONFLICT`,
   * `UPLOAD_LOCKED`, `UPLOAD_COMPLETED`, `TIMEOUT`, `STORAGE_FULL`, 410 codes
   */
  putChunk(
    id: string,
    input: ChunkInput,
    caller: Caller,
  ): Promise<{ readonly entry: ChunkEntry; readonly upload: Upload }> {
    return putChunk(this.#context, id, input, caller)
  }

  /** How far the upload is. Takes no lock. @throws UploadError `UPLOAD_NOT_FOUND`, or 410 codes */
  progress(id: string, caller: Caller): Promise<Progress> {
    return progress(this.#context, id, caller)
  }

  /**
   * Watches an upload, on whatever node it is written, until it ends or the watch is closed. Takes no lock. Of one that has
   * ended the end is told.
   * @throws UploadError `UPLOAD_NOT_FOUND`, `DRAINING`
   */
  watch(id: string, caller: Caller): Promise<Watch> {
    return watch(this.#context, id, caller)
  }

  /**
   * The caller's unfinished uploads that it may read, the newest first.
   * @throws UploadError `UNAUTHENTICATED` where nobody is asked who he is; `INVALID_REQUEST`; `STATE_UNAVAILABLE` while they
   * are being looked up in storage
   */
  list(input: ListInput, caller: Caller): Promise<OpenPage> {
    return listOpen(this.#context, input, caller)
  }

  /**
   * Makes the file of a full ledger. Idempotent.
   * @throws UploadError `CHUNKS_MISSING` (details.missing), `CHECKSUM_MISMATCH`, `UPLOAD_LOCKED`, 410 codes
   */
  complete(id: string, input: CompleteInput, caller: Caller): Promise<Completed> {
    return complete(this.#context, id, input, caller)
  }

  /** Extends the upload's life and says what is missing. @throws UploadError as progress, and `UPLOAD_COMPLETED` */
  resume(id: string, caller: Caller): Promise<Progress> {
    return resume(this.#context, id, caller)
  }

  /** Cancels an unfinished upload; again: the same. @throws UploadError `UPLOAD_COMPLETED`, `UPLOAD_LOCKED`, 410 codes */
  cancel(id: string, caller: Caller): Promise<void> {
    return cancel(this.#context, id, caller)
  }

  /** Cancels an unfinished upload, or removes a finished one with its file (tus termination). */
  terminate(id: string, caller: Caller): Promise<void> {
    return terminate(this.#context, id, caller)
  }

  /**
   * The finished file of an upload, and a way to read its bytes.
   * @throws UploadError `UPLOAD_NOT_FOUND`, also when it is not finished; `DRAINING`; 410 codes
   */
  download(id: string, caller: Caller): Promise<Download> {
    return download(this.#context, id, caller)
  }

  /** The record of a finished file, by its own id. @throws UploadError `FILE_NOT_FOUND`, also when it was removed */
  file(fileId: string, caller: Caller): Promise<FileRecord> {
    return finishedFile(this.#context, fileId, 'read', caller)
  }

  /** A finished file by its own id, and a way to read its bytes. @throws UploadError `FILE_NOT_FOUND`, `DRAINING` */
  downloadFile(fileId: string, caller: Caller): Promise<Download> {
    return downloadFile(this.#context, fileId, caller)
  }

  /** Removes a finished file, and ends the upload that made it. @throws UploadError `FILE_NOT_FOUND`, `UPLOAD_LOCKED` */
  removeFile(fileId: string, caller: Caller): Promise<void> {
    return removeFile(this.#context, fileId, caller)
  }

  /**
   * Takes no new work, ends the bodies under way after what they brought is durable and recorded, and closes storage
   * and state. Idempotent.
   */
  async close(): Promise<void> {
    const { bodies } = this.#context
    if (bodies.draining) return this.#closed
    bodies.drain()
    this.#context.watches.close()
    this.#closed = this.#close(this.#context)
    return this.#closed
  }

  /** Whoever waits for this storage waits in vain for a moment, where this fails; no body may pay for that. */
  async #sayDraining(): Promise<void> {
    const { storage, onError } = this.#context.options
    await storage.drain().catch((error: unknown) => onError(error, 'saying that this process shuts down'))
  }

  async #close({ bodies, digests, options, outbox, sweeper }: Context): Promise<void> {
    if (this.#opened) await this.#sayDraining()
    // Digests first: a completion that waits for one would be waited for in vain.
    await digests.stop()
    await sweeper.stop()
    outbox.drain()
    await bodies.settled()
    await outbox.settled()
    await options.state.close()
    await options.storage.close()
  }
}

/**
 * Makes the core over a storage, and a state where more than this process writes.
 * @throws TypeError naming the option that is wrong
 */
export function createUploads(options: UploadsOptions): Uploads {
  return new Uploads(options)
}

export { DEFAULT_LIST, MAX_LIST }
export type {
  AppendInput,
  ChunkInput,
  Completed,
  CompleteInput,
  ConcatenatedUpload,
  ConcatenateInput,
  CreatedUpload,
  Download,
  Idempotency,
  ListInput,
  News,
  OpenPage,
  Settled,
  SweepOptions,
  SweepStep,
  TokenBearer,
  UploadsStats,
  Watch,
}
