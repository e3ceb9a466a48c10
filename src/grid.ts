import { UploadError } from './errors.ts'

/**
 * The fixed grid an upload is cut on. Chunk n is the bytes `[n·chunkSize, min((n+1)·chunkSize, size))`, in every
 * protocol and on every storage. `chunkSize` never changes after creation; `size` is null until a deferred length is known.
 */
export interface Grid {
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number
  /** Bytes of the whole file, or null while the length is deferred. */
  readonly size: number | null
}

/** What a storage asks of a grid, in bytes and chunks. */
export interface GridLimits {
  readonly minChunkSize: number
  readonly maxChunkSize: number
  readonly maxChunks: number
}

/** One mebibyte: a grid grows in whole ones. */
export const MIB = 1024 * 1024

/** How many chunks the file has, or null while its length is deferred. A file of 0 bytes has 0 chunks. */
export function chunkCount(grid: Grid): number | null {
  return grid.size === null ? null : Math.ceil(grid.size / grid.chunkSize)
}

/** The number of the chunk in which `offset` lies. */
export function chunkAt(grid: Grid, offset: number): number {
  return Math.floor(offset / grid.chunkSize)
}

/** The first byte of chunk n. */
export function chunkStart(grid: Grid, n: number): number {
  return n * grid.chunkSize
}

/** Bytes of chunk n; while the length is deferred every chunk counts as whole. 0 outside the grid. */
export function chunkLength(grid: Grid, n: number): number {
  const start = chunkStart(grid, n)
  const end = start + grid.chunkSize
  return grid.size === null ? grid.chunkSize : Math.max(0, Math.min(end, grid.size) - start)
}

/** Whether n is the number of a chunk of this grid. */
export function isChunkNumber(grid: Grid, n: number, maxChunks: number): boolean {
  if (!Number.isSafeInteger(n) || n < 0) return false
  return n < (chunkCount(grid) ?? maxChunks)
}

/**
 * Chooses the chunk size for a new upload: the one asked for, or the default; grown in whole MiB when the upload would
 * otherwise need more than `maxChunks`.
 *
 * @throws UploadError `INVALID_REQUEST` when the size asked for is outside the storage's limits; `FILE_TOO_LARGE` when no
 * allowed chunk size is large enough.
 */
export function chooseChunkSize(
  size: number | null,
  asked: number | undefined,
  defaultChunkSize: number,
  limits: GridLimits,
): number {
  const { minChunkSize, maxChunkSize, maxChunks } = limits
  if (asked !== undefined && (!Number.isSafeInteger(asked) || asked < minChunkSize || asked > maxChunkSize)) {
    throw new UploadError('INVALID_REQUEST', {
      message: `chunkSize must be a whole number of bytes from ${minChunkSize} to ${maxChunkSize}.`,
      details: { field: 'chunkSize', min: minChunkSize, max: maxChunkSize },
    })
  }
  const wanted = asked ?? defaultChunkSize
  if (size === null || size <= wanted * maxChunks) return wanted
  const grown = Math.ceil(size / maxChunks / MIB) * MIB
  if (grown > maxChunkSize) {
    throw new UploadError('FILE_TOO_LARGE', {
      message: `The file has ${size} bytes; this storage takes at most ${maxChunkSize * maxChunks}.`,
      details: { max: maxChunkSize * maxChunks },
    })
  }
  return grown
}
