import type { Readable } from 'node:stream'
import type { FileRepository } from '../files.ts'
import type { GridLimits } from '../grid.ts'
import type { ChunkEntry, Tail } from '../ledger.ts'
import type { Change, Manifest, StoredUpload } from '../upload.ts'

/** Changes that are recorded apart from bytes: {@link ChunkWriter} records chunks and tails. */
export type RecordedChange = Extract<Change, { type: 'length' | 'completing' | 'ended' | 'digest' }>

/** A place of its own for the bytes of a chunk that is not sent on before it is whole and known good. */
export interface Hold {
  /** Bytes in it. */
  readonly size: number
  /** Takes buffers in order; resolves when more may be given. */
  append(buffers: readonly Buffer[]): Promise<void>
  /** What is in it, in order: bytes `[start, end)`, by default all; may be read again. */
  read(start?: number, end?: number): AsyncIterable<Buffer>
  /** Frees it. A second time does nothing. Never throws. */
  drop(): Promise<void>
}

/** What a chunk may be received with. */
export interface ChunkRoom {
  /** Bytes the writer may gather, as far as it can do with that. @default as many as help */
  readonly memory?: number
  /**
   * Where a storage that {@link Storage.holdsChunks} keeps the bytes. The writer drops it when it ends, but where a chunk
   * was finished: then it is dropped by whoever gave it. @default memory
   */
  readonly hold?: Hold
}

/** Takes the bytes of one chunk. Exactly one of finish, suspend and abort ends it, after the last write was given. */
export interface ChunkWriter {
  /**
   * Takes buffers in order, without copying them; resolves when it can take more (not when they are stored).
   * @throws UploadError `STORAGE_FULL`, `STORAGE_UNAVAILABLE`
   */
  write(buffers: readonly Buffer[]): Promise<void>
  /**
   * All bytes of the chunk were given and are true: makes them durable, then records the chunk. Returns the entry as it
   * was recorded, with what the storage itself calls the chunk.
   */
  finish(entry: ChunkEntry): Promise<ChunkEntry>
  /**
   * The writer stops in the middle: makes the bytes durable, then records them as the tail.
   * @throws UploadError `UPLOAD_LOCKED` where storage knows of another tail that goes on from the same bytes: learn of it
   */
  suspend(tail: Tail): Promise<void>
  /** Forgets the bytes given to it; resolves when nothing it began is still under way. Never throws. */
  abort(): Promise<void>
}

/** Something that belongs to no upload: a crash left it behind, or its time is over. */
export interface Leftover {
  readonly kind: 'multipart upload' | 'object' | 'folder' | 'file' | 'claim'
  /** Its key, or its path in the directory. */
  readonly name: string
  /** Deletes it, unless it has become somebody's meanwhile. */
  remove(): Promise<void>
}

/** What a storage says of a file that it has made. */
export interface AssembledFile {
  readonly storageChecksum?: string
  /** What `key` of the file's record is. */
  readonly key?: string
}

/** Bytes `[start, end)` of an upload that has ended as `uploaded`. */
export interface Source {
  readonly upload: StoredUpload
  readonly start: number
  readonly end: number
}

/** A chunk that is made of bytes which stand elsewhere. */
export interface ChunkCopy {
  /** From 0. */
  readonly number: number
  /** Exactly its bytes. */
  readonly source: Source
  /** What is said of when it became durable, ms since the epoch. */
  readonly at: number
}

/** A claim on an idempotency key. */
export interface Claim {
  /** The upload that the key made, or is about to make. */
  readonly id: string
  /** SHA-256 of the request, to tell a repetition from another use of the key. */
  readonly fingerprint: string
  /** ms since the epoch. */
  readonly at: number
}

/**
 * Durable knowledge: bytes, manifests, ends, and enough to rebuild every ledger. The order is always bytes, storage's
 * record, state, reply.
 */
export interface Storage {
  readonly limits: GridLimits
  /** Whether a chunk is held whole, in its {@link ChunkRoom.hold}, until it is finished. */
  readonly holdsChunks: boolean
  /** Whether the chunks of an unfinished upload can be read back, cheaply. A tail always can. */
  readonly readsUnfinished: boolean
  /** Records of finished files, kept beside the bytes. */
  readonly files: FileRepository
  /**
   * Gets ready and takes ownership where the storage has only one owner. `readOnly`: for a look beside whoever owns it. Then
   * nothing is made, taken or repaired, and only {@link Storage.list}, {@link Storage.load}, {@link Storage.hasBytes},
   * {@link Storage.leftovers} and the reading of {@link Storage.files} may be called.
   * @throws Error in one line, for the operator, when it cannot.
   */
  open(options?: { readonly readOnly?: boolean }): Promise<void>
  /** Writes the manifest. Returns false, and changes nothing, where the id exists already. */
  create(manifest: Manifest): Promise<boolean>
  /** Everything storage knows of an upload, or null. */
  load(id: string): Promise<StoredUpload | null>
  /**
   * Begins chunk `number`. `from`: durable bytes (a tail) at its start, which are not given again and not written.
   * @throws UploadError `CHUNKS_MISSING`, also from the writer, when the tail is not there: who asks knows less than storage
   */
  beginChunk(upload: StoredUpload, number: number, from: number, room?: ChunkRoom): Promise<ChunkWriter>
  /**
   * Makes chunks of bytes of other uploads that stand here, without their passing through this process: makes them durable,
   * records them, and returns their entries. Of the others nothing is recorded: whoever asks reads their bytes and writes
   * them.
   */
  copyChunks(upload: StoredUpload, copies: readonly ChunkCopy[]): Promise<readonly ChunkEntry[]>
  /**
   * A writer who had lost its lock has stored other bytes for a chunk that is recorded, before or after it was, or of which
   * a tail is: sees to it that no recovery takes those for what is recorded. Where that is gone, completion will say so.
   */
  defend(upload: StoredUpload, recorded: ChunkEntry | Tail): Promise<void>
  /** State has taken a finished chunk: what it was put together from may go. Nobody waits for it. */
  recorded(upload: StoredUpload, chunk: number): void
  /** Records a change; when it resolves the change survives a kill, and for `completing` and `ended` a power cut. */
  record(id: string, change: RecordedChange): Promise<void>
  /**
   * Durable bytes `[start, end)` of an upload, also after it has finished. Before that, where the storage does not
   * {@link Storage.readsUnfinished}, only bytes of the tail.
   */
  read(upload: StoredUpload, start: number, end: number): AsyncIterable<Buffer>
  /**
   * Where its bytes are or may be, each at its own position in a file that this process can open: the first that is there has
   * them. They may be moved to the next meanwhile. Without it, or where it names none, they are read by
   * {@link Storage.read} only.
   */
  paths?(upload: StoredUpload): readonly string[]
  /**
   * Makes the whole object stand under its final key. `completing` is recorded before. May be called again after a crash
   * at any point of it, and after it has succeeded.
   */
  assemble(upload: StoredUpload): Promise<AssembledFile>
  /** Deletes the bytes of an upload that is recorded as ended, finished file included; the manifest stays. */
  discard(upload: StoredUpload): Promise<void>
  /** Whether there is anything that {@link Storage.discard} would delete of an upload that is recorded as ended. */
  hasBytes(upload: StoredUpload): Promise<boolean>
  /** Deletes what is left of an upload; it disappears in one step, and never comes back as less than it was. */
  forget(id: string): Promise<void>
  /** Ids of every upload there is a record of. */
  list(): AsyncIterable<string>
  /** What crashes left behind that belongs to no upload, and claims made before `before` (ms). Changes nothing. */
  leftovers(before: number): AsyncIterable<Leftover>
  /** Removes all {@link Storage.leftovers}; `onRemoved` is told of each. */
  sweep(before: number, onRemoved?: (leftover: Leftover) => void): Promise<void>
  /**
   * Opens a finished file for reading, bytes `[start, end)`.
   * @throws UploadError `FILE_NOT_FOUND`
   */
  openFile(fileId: string, start: number, end: number): Promise<Readable>
  /**
   * An address by which whoever has it may fetch a finished file for a while, from the storage itself; null, or no such
   * method, where files are read by {@link Storage.openFile} alone.
   */
  downloadUrl?(fileId: string): Promise<string | null>
  /** Claims a key, unless it was claimed after `since` (ms): then returns the claim that stands. */
  claim(key: string, claim: Claim, since: number): Promise<Claim>
  /**
   * 32 random bytes, made for whoever asks first and the same for everybody ever after, in every process on this storage.
   * It stands in no record of an upload or a file.
   */
  secret(): Promise<Buffer>
  /** Whether storage answers. @throws UploadError `STORAGE_UNAVAILABLE` */
  check(): Promise<void>
  /** Says that no new work is begun, to whoever waits for this storage. */
  drain(): Promise<void>
  close(): Promise<void>
}
