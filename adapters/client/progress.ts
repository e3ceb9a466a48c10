import type { UploadStatus } from './contract.ts'
import type { ResumableUploadError } from './errors.ts'

/**
 * What a task is doing:
 * `starting`: asking the server; `checking`: comparing the file with what of it is there already; `uploading`;
 * `waiting`: until it tries again; `paused`; `completing`: all is sent, the server makes the file; `done`; `failed`: `done`
 * of the task says why.
 */
export type TaskState = 'starting' | 'checking' | 'uploading' | 'waiting' | 'paused' | 'completing' | 'done' | 'failed'

/** How far an upload is. The fields of the server's progress, as this client sees them, and what it does. */
export interface UploadProgress {
  readonly state: TaskState
  /** Why it waits, or was last sent back; null while all goes well. */
  readonly trouble: ResumableUploadError | null
  /** The upload's id; null before the server has given it one. */
  readonly sessionId: string | null
  readonly fileName: string
  /** Bytes. */
  readonly totalSize: number
  /** Bytes on the server, and those on their way to it. */
  readonly uploadedBytes: number
  /** 0 to 100, with two decimals. It speaks of bytes: only `status` says that the file is done. */
  readonly percentComplete: number
  /** Chunks that the server has. */
  readonly chunksUploaded: number
  /** Null before the server has cut the file. */
  readonly totalChunks: number | null
  readonly status: UploadStatus
  /** Over the last seconds. */
  readonly bytesPerSecond: number
  /** Seconds; null while unknown. */
  readonly secondsRemaining: number | null
  /** The same as `HH:MM:SS`. */
  readonly estimatedTimeRemaining: string | null
}

/** What of a progress is counted. */
export interface Counted {
  readonly totalSize: number
  readonly uploadedBytes: number
  readonly bytesPerSecond: number
}

/** What of a progress follows from what is counted. */
export function derived({ totalSize, uploadedBytes, bytesPerSecond }: Counted) {
  // As the server does: never 100 before it is all, and what is nothing is all there.
  const percentComplete = totalSize === 0 ? 100 : Math.floor((uploadedBytes / totalSize) * 10_000) / 100
  const left = totalSize - uploadedBytes
  const secondsRemaining = left === 0 ? 0 : bytesPerSecond > 0 ? left / bytesPerSecond : null
  const estimatedTimeRemaining = secondsRemaining === null ? null : formatDuration(secondsRemaining)
  return { percentComplete, secondsRemaining, estimatedTimeRemaining }
}

/** Seconds as `HH:MM:SS`; more than 99 hours have more digits. */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds)
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return parts.map((part) => String(part).padStart(2, '0')).join(':')
}
