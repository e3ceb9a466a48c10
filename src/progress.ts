import { chunkCount } from './grid.ts'
import type { ChunkRange } from './ledger.ts'
import { gridOf, type Upload, type UploadStatus } from './upload.ts'

/** How far an upload is. Sizes are bytes, null while the length is deferred. */
export interface Progress {
  readonly upload: Upload
  readonly status: UploadStatus
  readonly totalSize: number | null
  readonly uploadedBytes: number
  /** 0 to 100 with two decimals; it speaks of bytes, not of the file being done. */
  readonly percentComplete: number | null
  readonly chunksUploaded: number
  readonly totalChunks: number | null
  readonly missingChunks: readonly ChunkRange[]
  /** Bytes per second over the last seconds in which bytes came. */
  readonly bytesPerSecond: number
  /** Seconds, or null while unknown. */
  readonly secondsRemaining: number | null
}

/** Reads an upload's progress off its ledger. `bytesPerSecond`: what {@link Speedometer} says. */
export function progressOf(upload: Upload, bytesPerSecond: number): Progress {
  const grid = gridOf(upload)
  const { ledger, size } = upload
  const uploadedBytes = ledger.durableBytes
  const remaining = size === null ? null : size - uploadedBytes
  return {
    upload,
    status: upload.status,
    totalSize: size,
    uploadedBytes,
    percentComplete: percent(uploadedBytes, size),
    chunksUploaded: ledger.chunks.size,
    totalChunks: chunkCount(grid),
    missingChunks: ledger.missing(grid),
    bytesPerSecond,
    secondsRemaining: secondsFor(remaining, bytesPerSecond),
  }
}

/** Rounds down, so that 100 is said only when every byte is there. */
function percent(bytes: number, size: number | null): number | null {
  if (size === null) return null
  // In whole numbers: as fractions 57 of 100 bytes were 56.99 percent.
  return size === 0 ? 100 : Number((BigInt(bytes) * 10_000n) / BigInt(size)) / 100
}

function secondsFor(remaining: number | null, bytesPerSecond: number): number | null {
  if (remaining === 0) return 0
  if (remaining === null || bytesPerSecond <= 0) return null
  return Math.ceil(remaining / bytesPerSecond)
}

/** Seconds as `HH:MM:SS`; hours may pass 99. */
export function formatDuration(seconds: number): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}
