/** What an upload is in: only `uploaded` says that the file is done. */
export type UploadStatus = 'initiated' | 'uploading' | 'completing' | 'uploaded' | 'cancelled' | 'expired' | 'failed'

/** Chunks, as ranges `[first, last]`. */
export type ChunkRanges = readonly (readonly [first: number, last: number])[]

/** What `initiate` answers. */
export interface InitiatedUpload {
  /** The upload's id, on the tus face too. */
  readonly id: string
  readonly fileId: string
  readonly fileName: string
  /** Bytes. */
  readonly fileSize: number
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number
  readonly totalChunks: number
  readonly status: UploadStatus
  /** ISO 8601. */
  readonly expiresAt: string
  /** Address of the same upload on the tus face. */
  readonly tusUrl: string
  /** Good for this upload alone, until it ends. There where one has to log in. */
  readonly uploadToken?: string
}

/** What a chunk's storing answers. */
export interface StoredChunk {
  readonly chunkNumber: number
  /** Bytes. */
  readonly size: number
  /** SHA-256 in hex. */
  readonly checksum: string
  readonly storageKey: string
  readonly uploadedAt: string
  readonly expiresAt: string
}

/** What `progress` answers. */
export interface ServerProgress {
  readonly sessionId: string
  readonly fileId: string
  readonly fileName: string
  /** Bytes; null while the length is deferred, which only tus clients do. */
  readonly totalSize: number | null
  readonly uploadedBytes: number
  readonly percentComplete: number | null
  readonly chunksUploaded: number
  readonly totalChunks: number | null
  readonly status: UploadStatus
  /** `HH:MM:SS`; null while unknown. */
  readonly estimatedTimeRemaining: string | null
  readonly bytesPerSecond: number
  readonly missingChunks: ChunkRanges
  readonly chunkSize: number
  readonly expiresAt: string
}

/** What `resume` answers. */
export interface ResumedUpload {
  readonly id: string
  readonly status: 'active'
  readonly uploadedBytes: number
  /** The first chunk missing; null when none is. */
  readonly nextChunkNumber: number | null
  readonly missingChunks: ChunkRanges
  readonly chunkSize: number
  readonly totalChunks: number | null
  readonly expiresAt: string
}

/** What `complete` answers: the finished file. */
export interface UploadedFile {
  /** The file's id. */
  readonly id: string
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly contentType: string
  readonly status: 'uploaded'
  readonly uploadedAt: string
  /** SHA-256 of the whole file in hex, what `sha256sum` prints; null while it is being computed, or where that is off. */
  readonly checksum: string | null
  readonly checksumType: 'FULL_OBJECT'
  /** There while the checksum is being computed. */
  readonly checksumStatus?: 'computing'
  readonly storageChecksum?: string
  /** The file's address on the CDN, where there is one. */
  readonly url?: string
}

/** A page of the caller's unfinished uploads. */
export interface UploadList {
  readonly items: readonly ServerProgress[]
  readonly nextCursor: string | null
}

/** What `initiate` is asked. */
export interface InitiateRequest {
  readonly fileName: string
  readonly fileSize: number
  readonly contentType: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly chunkSize?: number
  /** The SHA-256, in hex, that the whole file must have. */
  readonly checksum?: string
}
