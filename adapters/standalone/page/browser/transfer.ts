import type { UploadedFile } from '../../../client/index.ts'

/** How far a transfer is, for its row. */
export interface TransferProgress {
  readonly state: 'starting' | 'checking' | 'uploading' | 'waiting' | 'paused' | 'completing' | 'done' | 'failed'
  readonly uploadedBytes: number
  readonly bytesPerSecond: number
  readonly secondsRemaining: number | null
  /** Why it waits; empty while all goes well. */
  readonly trouble: string
}

/** What a transfer tells. */
export interface TransferEvents {
  onProgress(progress: TransferProgress): void
  onDone(file: UploadedFile): void
  onFailed(message: string): void
}

/** One file on its way, by either protocol. */
export interface Transfer {
  pause(): void
  resume(): void
  /** Ends it on the server too. */
  cancel(): Promise<void>
}

/** An upload that was begun earlier, and can be gone on with. */
export interface Unfinished {
  readonly protocol: Protocol
  /** The upload's id, the same by both protocols. */
  readonly id: string
  readonly fileName: string
  /** Bytes. */
  readonly fileSize: number
  /** ms since 1970; 0 where it is not known. */
  readonly startedAt: number
  /** The upload's own token, where there is one. */
  readonly token: string | null
  /** Forgets it in this browser. */
  forget(): Promise<void> | void
}

export type Protocol = 'json' | 'tus'

/** One way of uploading. */
export interface Engine {
  start(file: File, events: TransferEvents, from?: Unfinished): Transfer
  /** What this browser remembers. */
  unfinished(): Promise<readonly Unfinished[]>
}
