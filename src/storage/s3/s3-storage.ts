import type { Readable } from 'node:stream'
import { UploadError } from '../../errors.ts'
import type { FileRepository } from '../../files.ts'
import { type GridLimits, isChunkNumber } from '../../grid.ts'
import { gridOf, goneError, isGone, isOpen, type Manifest, type StoredUpload } from '../../upload.ts'
import type { ChunkEntry, Tail } from '../../ledger.ts'
import { MemoryHold } from '../memory-hold.ts'
import type {
  AssembledFile,
  ChunkCopy,
  ChunkRoom,
  ChunkWriter,
  Claim,
  Leftover,
  RecordedChange,
  Storage,
} from '../storage.ts'
import { assembleUpload } from './assemble.ts'
import { S3ChunkWriter } from './chunk-writer.ts'
import { claimKey, overdueClaims } from './claims.ts'
import { S3Context } from './context.ts'
import { copyChunks } from './copy-chunks.ts'
import { createUpload } from './create.ts'
import { S3FileRecords } from './file-records.ts'
import { isId } from './keys.ts'
import { findLeftovers } from './leftovers.ts'
import { loadUpload } from './load.ts'
import { resolveS3Options, type S3StorageOptions } from './options.ts'
import { defendChunk } from './parts.ts'
import { prepareBucket } from './prepare.ts'
import { locateFile, openFile, readUpload } from './reading.ts'
import { recordChange } from './records.ts'
import { discardUpload, forgetUpload, hasBytes } from './removal.ts'
import { storageError } from './s3-error.ts'
import { readSecret } from './secret.ts'
import { dropTail } from './tails.ts'

/**
 * Uploads in a bucket of an object store that speaks S3. Chunk n is part n + 1 of one multipart upload; a file of one chunk
 * is one object from the first. Any number of processes may use one bucket and prefix.
 */
export class S3Storage implements Storage {
  readonly limits: GridLimits
  readonly holdsChunks = true
  readonly readsUnfinished = false
  readonly files: FileRepository
  readonly #context: S3Context
  readonly #assemblies = new Map<string, Promise<AssembledFile>>()
  #opened = false
  #closing: Promise<void> | null = null
  /** What must not be cut off by a close. */
  readonly #running = new Set<Promise<unknown>>()

  /** @throws TypeError naming the option that is wrong */
  constructor(options: S3StorageOptions) {
    const resolved = resolveS3Options(options)
    this.limits = resolved.limits
    this.#context = new S3Context(resolved)
    this.files = new S3FileRecords(this.#context.ends, (work) => this.#run(() => work(this.#context)))
  }

  async open({ readOnly = false } = {}): Promise<void> {
    if (this.#opened) throw new Error(`The storage in bucket ${this.#context.bucket.name} is already open.`)
    await prepareBucket(this.#context, readOnly)
    this.#opened = true
  }

  async create(manifest: Manifest): Promise<boolean> {
    if (!isId(manifest.id) || !isId(manifest.fileId)) throw new Error('The ids of an upload are not UUIDs.')
    return await this.#run(() => createUpload(this.#context, manifest))
  }

  async load(id: string): Promise<StoredUpload | null> {
    if (!isId(id)) return null
    return await this.#run(() => loadUpload(this.#context, id))
  }

  async beginChunk(upload: StoredUpload, number: number, from: number, room: ChunkRoom = {}): Promise<ChunkWriter> {
    return await this.#run(async () => {
      mustTakeChunk(upload, number, this.limits.maxChunks)
      const place = await this.#context.place(mustBeId(upload.manifest.id))
      const hold = room.hold ?? new MemoryHold()
      return new S3ChunkWriter(this.#context, { upload, place, number, from, hold }, (work) => this.#run(work))
    })
  }

  async copyChunks(upload: StoredUpload, copies: readonly ChunkCopy[]): Promise<readonly ChunkEntry[]> {
    for (const { source } of copies) mustBeId(source.upload.manifest.id)
    return await this.#run(async () => {
      for (const { number } of copies) mustTakeChunk(upload, number, this.limits.maxChunks)
      mustBeId(upload.manifest.id)
      return await copyChunks(this.#context, upload, copies)
    })
  }

  async defend(upload: StoredUpload, recorded: ChunkEntry | Tail): Promise<void> {
    await this.#run(async () => {
      await defendChunk(this.#context, await this.#context.place(mustBeId(upload.manifest.id)), upload, recorded)
    })
  }

  recorded(upload: StoredUpload, chunk: number): void {
    dropTail(this.#context, upload, chunk)
  }

  async record(id: string, change: RecordedChange): Promise<void> {
    mustBeId(id)
    await this.#run(() => recordChange(this.#context, id, change))
  }

  read(upload: StoredUpload, start: number, end: number): AsyncIterable<Buffer> {
    mustBeId(upload.manifest.id)
    this.#mustBeOpen()
    return readUpload(this.#context, upload, start, end)
  }

  async assemble(upload: StoredUpload): Promise<AssembledFile> {
    const id = mustBeId(upload.manifest.id)
    // One at a time: S3 answers the second of two completions with an error.
    const underWay = this.#assemblies.get(id)
    if (underWay !== undefined) return await underWay
    const assembly = this.#run(() => assembleUpload(this.#context, upload)).finally(() => this.#assemblies.delete(id))
    this.#assemblies.set(id, assembly)
    return await assembly
  }

  async discard(upload: StoredUpload): Promise<void> {
    if (!isId(upload.manifest.id)) return
    await this.#run(() => discardUpload(this.#context, upload))
  }

  async hasBytes(upload: StoredUpload): Promise<boolean> {
    if (!isId(upload.manifest.id)) return false
    return await this.#run(() => hasBytes(this.#context, upload.manifest.id))
  }

  async forget(id: string): Promise<void> {
    if (!isId(id)) return
    await this.#run(() => forgetUpload(this.#context, id))
  }

  async *list(): AsyncIterable<string> {
    const { bucket, keys } = this.#context
    this.#mustBeOpen()
    try {
      for await (const folder of bucket.folders(keys.uploads)) {
        const id = keys.folderOf(folder)
        if (id !== null) yield id
      }
    } catch (error) {
      throw storageError(error)
    }
  }

  async *leftovers(before: number): AsyncIterable<Leftover> {
    this.#mustBeOpen()
    try {
      yield* findLeftovers(this.#context, before)
      yield* overdueClaims(this.#context, before)
    } catch (error) {
      throw storageError(error)
    }
  }

  async sweep(before: number, onRemoved: (leftover: Leftover) => void = () => {}): Promise<void> {
    await this.#run(async () => {
      for await (const leftover of this.leftovers(before)) {
        await leftover.remove()
        onRemoved(leftover)
      }
    })
  }

  async openFile(fileId: string, start: number, end: number): Promise<Readable> {
    return await this.#run(async () => {
      if (!isId(fileId)) throw new UploadError('FILE_NOT_FOUND')
      return await openFile(this.#context, fileId, start, end)
    })
  }

  async downloadUrl(fileId: string): Promise<string | null> {
    const { options } = this.#context
    const { downloadUrl } = options
    if (downloadUrl === null || !isId(fileId)) return null
    const { key } = await this.#run(() => locateFile(this.#context, fileId))
    return await downloadUrl({ bucket: options.bucket, key, fileId })
  }

  async claim(key: string, claim: Claim, since: number): Promise<Claim> {
    return await this.#run(() => claimKey(this.#context, key, claim, since))
  }

  async secret(): Promise<Buffer> {
    return await this.#run(() => readSecret(this.#context))
  }

  async check(): Promise<void> {
    this.#mustBeOpen()
    try {
      await this.#context.bucket.check({ policy: { attempts: 2, totalMs: 3_000, stallMs: 3_000 } })
    } catch (error) {
      throw new UploadError('STORAGE_UNAVAILABLE', { cause: error })
    }
  }

  /** Nothing waits for this storage to be given up: it has any number of users. */
  async drain(): Promise<void> {}

  /** Ends what is under way. The client is its owner's to destroy. */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#running)
    await this.#context.settled()
  }

  #mustBeOpen(): void {
    if (!this.#opened) throw new Error('The storage is not open: call open() first.')
    if (this.#closing !== null) {
      throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error('The storage is closed.') })
    }
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    this.#mustBeOpen()
    const running = work()
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      throw storageError(error)
    } finally {
      this.#running.delete(running)
    }
  }
}

function mustTakeChunk(upload: StoredUpload, number: number, maxChunks: number): void {
  if (isGone(upload)) throw goneError(upload.status)
  if (!isOpen(upload)) throw new UploadError('UPLOAD_COMPLETED')
  if (!isChunkNumber(gridOf(upload), number, maxChunks)) throw new UploadError('INVALID_CHUNK_NUMBER')
}

/** An id that is none becomes no part of a key. */
function mustBeId(id: string): string {
  if (isId(id)) return id
  throw new UploadError('UPLOAD_NOT_FOUND')
}
