import { constants } from 'node:fs'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { type ErrorCode, UploadError } from '../../errors.ts'
import { type GridLimits, isChunkNumber } from '../../grid.ts'
import { gridOf, goneError, isGone, isOpen, type Manifest, type StoredUpload } from '../../upload.ts'
import type { ChunkEntry } from '../../ledger.ts'
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
import { FileChunkWriter } from './chunk-writer.ts'
import { Claims } from './claims.ts'
import { syncBeforeCompleting } from './completion.ts'
import { copyChunks } from './copy-chunks.ts'
import { createUploadFolder } from './create.ts'
import { Disk, type Fsync } from './disk.ts'
import { type FileLayer, nodeFiles, unlessMissing } from './file-layer.ts'
import { FileRecords } from './file-records.ts'
import { forgetUpload } from './forget.ts'
import { isId, Layout } from './layout.ts'
import { loadUpload } from './load.ts'
import { readBootId } from './machine.ts'
import { Ownership } from './ownership.ts'
import { prepareDirectory } from './prepare.ts'
import { FileRange, bytesPaths, readUpload } from './reading.ts'
import { findLeftovers } from './leftovers.ts'
import { discardUpload, hasBytes } from './removal.ts'
import { readSecret } from './secret.ts'
import { storageError } from './storage-error.ts'
import { type UploadFolder, UploadFolders } from './upload-folder.ts'

/** Options of {@link FileStorage}. */
export interface FileStorageOptions {
  /** Where everything is kept. It is made where it does not exist; all of it must be one file system. */
  readonly directory: string
  /** What survives a power cut. @default 'complete' */
  readonly fsync?: Fsync
  /** Most chunks of one upload. @default 10_000 */
  readonly maxChunks?: number
  /** How long `open` waits for a process that owns the directory, ms. @default 5_000 */
  readonly ownerWaitMs?: number
  /** The calls on files, for tests. @default those of node:fs */
  readonly layer?: FileLayer
}

/** What is there while the storage is open. */
interface Opened {
  readonly disk: Disk
  readonly folders: UploadFolders
  readonly claims: Claims
  /** Null where the directory is only looked at. */
  readonly ownership: Ownership | null
}

/**
 * Uploads in a directory of this machine, owned by one process.
 *
 * `uploads/<id>/` holds manifest, journal and data; a finished file is one rename away, at `files/<fileId>`.
 */
export class FileStorage implements Storage {
  readonly limits: GridLimits
  readonly holdsChunks = false
  readonly readsUnfinished = true
  readonly files: FileRecords
  readonly #layer: FileLayer
  readonly #layout: Layout
  readonly #fsync: Fsync
  readonly #ownerWaitMs: number
  #opened: Opened | null = null
  #closing: Promise<void> | null = null
  /** What must not be cut off by a close. */
  readonly #running = new Set<Promise<unknown>>()

  constructor(options: FileStorageOptions) {
    this.limits = { minChunkSize: 1, maxChunkSize: Number.MAX_SAFE_INTEGER, maxChunks: options.maxChunks ?? 10_000 }
    this.#layer = options.layer ?? nodeFiles
    this.#layout = new Layout(resolve(options.directory))
    this.#fsync = options.fsync ?? 'complete'
    this.#ownerWaitMs = options.ownerWaitMs ?? 5_000
    this.files = new FileRecords(
      () => this.#open().disk,
      ({ uploadId }) => this.#open().folders.takeRecordless(uploadId),
    )
  }

  async open({ readOnly = false } = {}): Promise<void> {
    if (this.#opened !== null) throw new Error(`The storage at ${this.#layout.directory} is already open.`)
    const disk = new Disk(this.#layer, this.#layout, this.#fsync, await readBootId(this.#layer), readOnly)
    if (readOnly) await mustBeStorage(disk)
    else await prepareDirectory(disk)
    const folders = new UploadFolders(disk)
    const ownership = readOnly ? null : await Ownership.take(disk, this.#ownerWaitMs, () => void folders.shut())
    this.#opened = { disk, folders, claims: new Claims(disk), ownership }
  }

  async create(manifest: Manifest): Promise<boolean> {
    const { id, fileId } = manifest
    if (!isId(id) || !isId(fileId)) throw new Error('The ids of an upload are not UUIDs.')
    return await this.#run(({ folders }) =>
      folders.use(id, (folder) => folder.exclusive(() => createUploadFolder(folder, manifest))),
    )
  }

  async load(id: string): Promise<StoredUpload | null> {
    if (!isId(id)) return null
    return await this.#run(({ folders }) => folders.use(id, loadUpload))
  }

  async beginChunk(upload: StoredUpload, number: number, from: number, room: ChunkRoom = {}): Promise<ChunkWriter> {
    return await this.#run(async ({ folders }) => {
      mustTakeChunk(upload, number, this.limits.maxChunks)
      const folder = folders.hold(mustBeId(upload.manifest.id))
      const leave = (): void => {
        folder.places.leave(number)
        folders.release(folder)
      }
      try {
        const place = { upload, number, from, memory: room.memory ?? Infinity }
        const writer = new FileChunkWriter(folder, place, leave)
        await folder.places.take(number, from)
        return writer
      } catch (error) {
        folders.release(folder)
        throw error
      }
    })
  }

  async copyChunks(upload: StoredUpload, copies: readonly ChunkCopy[]): Promise<readonly ChunkEntry[]> {
    for (const { source } of copies) mustBeId(source.upload.manifest.id)
    return await this.#run(async ({ folders }) => {
      for (const { number } of copies) mustTakeChunk(upload, number, this.limits.maxChunks)
      const id = mustBeId(upload.manifest.id)
      return await folders.use(id, (folder) => copyChunks(folder, upload, copies))
    })
  }

  /** One process owns the directory, and lets one at a time write a chunk, whatever its locks say: nobody stores over another's. */
  async defend(): Promise<void> {}

  recorded(): void {}

  async record(id: string, change: RecordedChange): Promise<void> {
    const ends = change.type === 'completing' || change.type === 'ended'
    await this.#run(({ disk, folders }) =>
      folders.use(mustBeId(id), async (folder) => {
        if (change.type === 'completing') await syncBeforeCompleting(folder)
        const sync = disk.syncs(ends ? 'end' : 'chunk')
        if (ends && sync) await folder.root()
        await folder.journal.append(change, sync)
      }),
    )
  }

  read(upload: StoredUpload, start: number, end: number): AsyncIterable<Buffer> {
    mustBeId(upload.manifest.id)
    mustBeId(upload.manifest.fileId)
    return readUpload(this.#open().disk, upload, start, end)
  }

  paths(upload: StoredUpload): readonly string[] {
    mustBeId(upload.manifest.id)
    mustBeId(upload.manifest.fileId)
    const { layer, layout } = this.#open().disk
    // Another layer than the system's may have them elsewhere.
    return layer === nodeFiles ? bytesPaths(layout, upload) : []
  }

  async assemble(upload: StoredUpload): Promise<AssembledFile> {
    await this.#run(({ folders }) =>
      folders.use(mustBeId(upload.manifest.id), (folder) => folder.exclusive(() => assembleUpload(folder))),
    )
    return { key: upload.manifest.fileId }
  }

  async discard(upload: StoredUpload): Promise<void> {
    const { id, fileId } = upload.manifest
    if (!isId(id)) return
    const discard = (folder: UploadFolder): Promise<void> =>
      discardUpload(folder).finally(() => this.files.removed(fileId))
    await this.#run(({ folders }) => folders.use(id, (folder) => folder.exclusive(() => discard(folder))))
  }

  async hasBytes(upload: StoredUpload): Promise<boolean> {
    const { id, fileId } = upload.manifest
    if (!isId(id) || !isId(fileId)) return false
    return await this.#run(({ disk }) => hasBytes(disk, upload))
  }

  async forget(id: string): Promise<void> {
    if (!isId(id)) return
    await this.#run(({ disk, folders }) =>
      folders.use(id, async (folder) => {
        await folder.exclusive(async () => {
          await folder.journal.letGo()
          await forgetUpload(disk, id)
        })
        folders.drop(id)
      }),
    )
  }

  async *list(): AsyncIterable<string> {
    const names = await this.#run(({ disk }) => disk.layer.readdir(disk.layout.uploads))
    for (const name of names) {
      if (!isId(name)) continue
      const size = await this.#run(({ disk }) => disk.sizeOf(disk.layout.manifest(name)))
      if (size !== null && size > 0) yield name
    }
  }

  async *leftovers(before: number): AsyncIterable<Leftover> {
    const { disk, folders, claims } = this.#open()
    try {
      yield* findLeftovers(disk, folders)
      yield* claims.overdue(before)
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
    return await this.#run(async ({ disk }) => {
      if (!isId(fileId)) throw new UploadError('FILE_NOT_FOUND')
      return new FileRange(await disk.layer.open(disk.layout.file(fileId), 'r'), start, end)
    }, 'FILE_NOT_FOUND')
  }

  async claim(key: string, claim: Claim, since: number): Promise<Claim> {
    return await this.#run(({ claims }) => claims.claim(key, claim, since))
  }

  async secret(): Promise<Buffer> {
    return await this.#run(({ disk }) => readSecret(disk))
  }

  async check(): Promise<void> {
    try {
      const { disk } = this.#open()
      await disk.layer.access(disk.layout.uploads, constants.W_OK | constants.X_OK)
      await disk.layer.access(disk.layout.files, constants.W_OK | constants.X_OK)
    } catch (error) {
      throw error instanceof UploadError ? error : new UploadError('STORAGE_UNAVAILABLE', { cause: error })
    }
  }

  async drain(): Promise<void> {
    await this.#run(async ({ ownership }) => ownership?.drain())
  }

  /** Ends what is under way, then gives the directory back. Writers that were not ended can record nothing any more. */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    const opened = this.#opened
    if (opened === null) return
    try {
      await Promise.allSettled(this.#running)
      await opened.folders.shut()
      // Those of folders that are not remembered any more.
      await opened.disk.openJournals.close()
    } finally {
      await opened.ownership?.release()
    }
  }

  #open(): Opened {
    if (this.#opened === null) throw new Error('The storage is not open: call open() first.')
    if (this.#closing === null && this.#opened.ownership?.lost !== true) return this.#opened
    const why = this.#closing === null ? 'Another process has taken the directory.' : 'The storage is closed.'
    throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error(why) })
  }

  async #run<T>(work: (opened: Opened) => Promise<T>, missing: ErrorCode = 'UPLOAD_NOT_FOUND'): Promise<T> {
    const running = work(this.#open())
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      throw storageError(error, missing)
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

/** @throws Error in one line, for the operator, where there is nothing to look at */
async function mustBeStorage({ layer, layout }: Disk): Promise<void> {
  if ((await unlessMissing(layer.stat(layout.uploads))) !== null) return
  throw new Error(`there are no uploads in ${layout.directory}; check DATA_DIR`)
}

/** An id that is none becomes no part of a path. */
function mustBeId(id: string): string {
  if (isId(id)) return id
  throw new UploadError('UPLOAD_NOT_FOUND')
}
