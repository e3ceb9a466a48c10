import { isPartial, type Concatenation } from './concatenation.ts'
import { UploadError, type ErrorCode } from './errors.ts'
import { chunkLength, type Grid } from './grid.ts'
import { type ChunkEntry, Ledger, type Tail } from './ledger.ts'

/** Where an upload stands. `initiated → uploading → completing → uploaded`, aside to `cancelled`, `expired`, `failed`. */
export type UploadStatus = 'initiated' | 'uploading' | 'completing' | EndStatus

/** The statuses in which no byte is taken any more. */
export type EndStatus = 'uploaded' | GoneStatus

/** The statuses in which the upload is gone, and a tombstone answers 410 for a while. */
export type GoneStatus = 'cancelled' | 'expired' | 'failed'

/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** What an upload is. Written once, at creation; never changes. */
export interface Manifest {
  /** Version of this format. */
  readonly version: 1
  /** The upload's id, in both protocols: a random UUID. */
  readonly id: string
  /** The finished file's id. */
  readonly fileId: string
  /** The principal that created it, or null where nobody was asked. */
  readonly owner: string | null
  /** A name, never a path. */
  readonly fileName: string
  /** Media type of the file. */
  readonly contentType: string
  /** The client's own JSON object. */
  readonly metadata: { readonly [key: string]: Json }
  /** What a face wants back as it came, by its own keys. The core does not read it. */
  readonly attributes: { readonly [key: string]: string }
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number
  /** Bytes of the file, or null when the length was deferred at creation. */
  readonly size: number | null
  /** SHA-256 (hex) the whole file must have, where the client declared one. */
  readonly checksum: string | null
  /** What it has to do with other uploads. @default nothing: it is a file to be, and clients send its bytes */
  readonly concatenation?: Concatenation
  /** ms since the epoch. */
  readonly createdAt: number
}

/** What storage keeps of an upload: all but its expiry, which begins anew when it is rebuilt. */
export interface StoredUpload {
  readonly manifest: Manifest
  /** Bytes of the file, or null until a deferred length is known. */
  readonly size: number | null
  readonly status: UploadStatus
  /** When it ended, ms since the epoch, or null. */
  readonly endedAt: number | null
  /** SHA-256 (hex) of the whole file, once known. */
  readonly digest: string | null
  /** What is durable. It may grow under its reader, and never shrinks. */
  readonly ledger: Ledger
}

/** An upload as requests see it. */
export interface Upload extends StoredUpload {
  /** When it expires unless a byte or a resume comes before, ms since the epoch. */
  readonly expiresAt: number
}

/** One thing that happens to an upload. The same change goes to storage's record and to state. */
export type Change =
  /** `follows`: the tail of this chunk that it was seen to go on from, or null; left out where nobody can have written one. */
  | { readonly type: 'chunk'; readonly entry: ChunkEntry; readonly follows?: Tail | null }
  | { readonly type: 'tail'; readonly tail: Tail }
  | { readonly type: 'length'; readonly size: number; readonly at: number }
  | { readonly type: 'completing' }
  /** `ofFile`: a finished file is taken away. An end without it was meant for an unfinished upload, and came too late. */
  | { readonly type: 'ended'; readonly status: EndStatus; readonly at: number; readonly ofFile?: true }
  | { readonly type: 'digest'; readonly sha256: string }
  /** Nothing but a sign of life: moves the expiry. */
  | { readonly type: 'touch' }

/** An upload of which nothing but its manifest is known. */
export function newUpload(manifest: Manifest): StoredUpload {
  return { manifest, size: manifest.size, status: 'initiated', endedAt: null, digest: null, ledger: new Ledger() }
}

/** The grid of an upload. */
export function gridOf(upload: StoredUpload): Grid {
  return { chunkSize: upload.manifest.chunkSize, size: upload.size }
}

/** SHA-256 (hex) of no bytes. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/**
 * SHA-256 (hex) of the whole file, where it is known: recorded, or that of its only chunk, for which nothing has to be
 * read.
 */
export function digestOf(upload: StoredUpload): string | null {
  if (upload.digest !== null || upload.size === null || upload.size > upload.manifest.chunkSize) return upload.digest
  return upload.size === 0 ? EMPTY_SHA256 : (upload.ledger.chunks.get(0)?.sha256 ?? null)
}

/** Whether the upload still takes bytes. */
export function isOpen(upload: Pick<StoredUpload, 'status'>): boolean {
  return upload.status === 'initiated' || upload.status === 'uploading'
}

/** Whether its time may come: it takes bytes, or it is a part of files to come, for which somebody may not come back. */
export function mayExpire(upload: Pick<StoredUpload, 'manifest' | 'status'>): boolean {
  return upload.status === 'uploaded' ? isPartial(upload) : isOpen(upload)
}

/** Whether only a tombstone is left. */
export function isGone(upload: StoredUpload): upload is StoredUpload & { readonly status: GoneStatus } {
  return upload.status === 'cancelled' || upload.status === 'expired' || upload.status === 'failed'
}

const GONE_CODES = {
  cancelled: 'UPLOAD_CANCELLED',
  expired: 'UPLOAD_EXPIRED',
  failed: 'UPLOAD_FAILED',
} as const satisfies Record<GoneStatus, ErrorCode>

/** The error a gone upload answers with. */
export function goneError(status: GoneStatus): UploadError {
  return new UploadError(GONE_CODES[status])
}

/**
 * Applies a change to an upload. The ledger is changed in place (it only grows); everything else is a new object.
 *
 * @throws UploadError `UPLOAD_CANCELLED`, `UPLOAD_EXPIRED`, `UPLOAD_FAILED` when the upload is gone; `UPLOAD_COMPLETED`
 * when a new byte or another end comes after completion; `INVALID_REQUEST` when a length contradicts what is known;
 * `UPLOAD_LOCKED` when a chunk does not go on from the tail that is acknowledged of it.
 */
export function applyChange<U extends StoredUpload>(upload: U, change: Change): U {
  if (isGone(upload)) {
    if (change.type === 'ended' && change.status === upload.status) return upload
    throw goneError(upload.status)
  }
  switch (change.type) {
    case 'chunk':
      if (upload.ledger.chunks.has(change.entry.number)) return begun(upload)
      if (!isOpen(upload)) throw new UploadError('UPLOAD_COMPLETED')
      mustFit(upload, change.entry)
      mustFollow(upload, change.entry, change.follows)
      upload.ledger.add(change.entry)
      return begun(upload)
    case 'tail':
      if (!isOpen(upload)) throw new UploadError('UPLOAD_COMPLETED')
      upload.ledger.setTail(change.tail)
      return begun(upload)
    case 'length':
      if (upload.size === change.size) return upload
      if (upload.size !== null || change.size < upload.ledger.extent(gridOf(upload))) throw lengthError(upload)
      return withSize(upload, change.size, change.at)
    case 'completing':
      return isOpen(upload) ? { ...upload, status: 'completing' } : upload
    case 'ended':
      return end(upload, change)
    case 'digest':
      return { ...upload, digest: upload.digest ?? change.sha256 }
    case 'touch':
      return upload
  }
}

/** What is not on the grid is never acknowledged, whatever way it came. */
function mustFit(upload: StoredUpload, entry: ChunkEntry): void {
  const length = chunkLength(gridOf(upload), entry.number)
  if (length > 0 && entry.size === length) return
  throw new UploadError('CHUNK_SIZE_MISMATCH', {
    message: `Chunk ${entry.number} has ${length} bytes, not ${entry.size}.`,
    details: { chunkNumber: entry.number, expected: length, actual: entry.size },
  })
}

/** Bytes of a chunk that a client was told of are only ever replaced by a chunk that was seen to begin with them. */
function mustFollow(
  { ledger: { tail } }: StoredUpload,
  { number }: ChunkEntry,
  follows: Tail | null | undefined,
): void {
  if (follows === undefined || tail?.number !== number) return
  if (follows?.size !== tail.size || follows.sha256 !== tail.sha256) throw new UploadError('UPLOAD_LOCKED')
}

/** A length that ends with the tail makes the tail the last chunk. */
function withSize<U extends StoredUpload>(upload: U, size: number, at: number): U {
  const last = upload.ledger.tailAsChunk({ chunkSize: upload.manifest.chunkSize, size }, at)
  if (last !== null) upload.ledger.add(last)
  return { ...upload, size }
}

function begun<U extends StoredUpload>(upload: U): U {
  return upload.status === 'initiated' ? { ...upload, status: 'uploading' } : upload
}

function end<U extends StoredUpload>(upload: U, { status, at, ofFile }: Extract<Change, { type: 'ended' }>): U {
  if (upload.status === status) return upload
  // `completing` never expires; after it only the whole object or a failure can come.
  if (upload.status === 'completing' && status === 'expired') throw new UploadError('UPLOAD_COMPLETED')
  if (upload.status === 'uploaded' && !endsFile(status, ofFile)) throw new UploadError('UPLOAD_COMPLETED')
  return { ...upload, status, endedAt: at }
}

/** Whether an end takes a finished file away: it was removed by whoever may (`cancelled`), or its own time is over. */
export function endsFile(status: EndStatus, ofFile: boolean | undefined): boolean {
  return ofFile === true && (status === 'cancelled' || status === 'expired')
}

function lengthError(upload: StoredUpload): UploadError {
  return new UploadError('INVALID_REQUEST', {
    message:
      upload.size === null
        ? 'Upload-Length is less than what is already stored.'
        : `The length of this upload is ${upload.size} and cannot be changed.`,
    details: { field: 'Upload-Length' },
  })
}
