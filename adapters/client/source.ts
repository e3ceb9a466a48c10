import { ResumableUploadError } from './errors.ts'
import type { ChunkBounds } from './chunk-plan.ts'

/**
 * What is uploaded: a browser's or Node's `File` or `Blob`, or what `openFile` of `holdfast/client/node` opens. It is read
 * chunk by chunk.
 */
export interface UploadSource {
  /** Bytes. */
  readonly size: number
  readonly name?: string
  /** Media type; empty where it is not known. */
  readonly type?: string
  /** ms since 1970. */
  readonly lastModified?: number
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> }
}

/** Reads the bytes of a chunk. @throws ResumableUploadError `FILE_UNREADABLE` */
export async function readChunk(source: UploadSource, { start, end }: ChunkBounds): Promise<ArrayBuffer> {
  const bytes = await source
    .slice(start, end)
    .arrayBuffer()
    .catch((error: unknown) => {
      throw new ResumableUploadError(
        'FILE_UNREADABLE',
        `${nameOf(source)} cannot be read: has it been changed or moved?`,
        {
          cause: error,
        },
      )
    })
  if (bytes.byteLength === end - start) return bytes
  throw new ResumableUploadError('FILE_UNREADABLE', `${nameOf(source)} is shorter than it was.`)
}

/** The name of a file; a plain Blob's is what forms give it. */
export function nameOf({ name = '' }: UploadSource): string {
  return name === '' ? 'blob' : name
}
