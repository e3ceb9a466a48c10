import { chunkLength } from '../../grid.ts'
import type { ChunkEntry } from '../../ledger.ts'
import { gridOf, type StoredUpload } from '../../upload.ts'
import type { ChunkCopy } from '../storage.ts'
import type { S3Context } from './context.ts'
import type { MultipartUpload } from './multipart.ts'
import { isUnsupported } from './s3-error.ts'

/** Ranges are copied out of larger objects only; one of at most so many bytes is copied whole. */
const LEAST_TO_CUT = 5 * 1024 * 1024
/** Copies under way at a time. */
const PARALLEL = 8

/** A part that was made of another object's bytes. */
interface CopiedPart {
  readonly copy: ChunkCopy
  readonly etag: string
  /** SHA-256 in hex, or null where S3 did not tell it. */
  readonly sha256: string | null
}

/**
 * Copies chunks inside of S3, each as one part. What is not among the entries S3 does not copy, or does not tell the bytes of.
 *
 * Killed before S3 has a part, nothing of it is there; after it, ListParts tells its digest and a merge finds it.
 */
export async function copyChunks(
  context: S3Context,
  upload: StoredUpload,
  copies: readonly ChunkCopy[],
): Promise<ChunkEntry[]> {
  const { multipart } = await context.place(upload.manifest.id)
  if (multipart === null || !context.options.checksums) return []
  const waiting = copies.filter((copy) => isCopied(upload, copy)).toReversed()
  const copied: CopiedPart[] = []
  const work = async (): Promise<void> => {
    for (let copy = waiting.pop(); copy !== undefined; copy = waiting.pop()) {
      const part = await copyPart(context, multipart, copy)
      // One that is not copied says that none is.
      if (part === null) waiting.length = 0
      else copied.push(part)
    }
  }
  const done = await Promise.allSettled(Array.from({ length: PARALLEL }, work))
  // Nothing is under way any more when this throws.
  for (const one of done) if (one.status === 'rejected') throw one.reason
  return await entriesOf(context, multipart, copied)
}

/** Whether S3 copies these bytes. */
function isCopied(upload: StoredUpload, { number, source: { upload: part, start, end } }: ChunkCopy): boolean {
  if (end - start !== chunkLength(gridOf(upload), number)) return false
  return (part.size ?? 0) > LEAST_TO_CUT || (start === 0 && end === part.size)
}

async function copyPart(context: S3Context, multipart: MultipartUpload, copy: ChunkCopy): Promise<CopiedPart | null> {
  const { upload: part, start, end } = copy.source
  const { key } = await context.place(part.manifest.id)
  const range = start === 0 && end === part.size ? null : ([start, end] as const)
  try {
    return { copy, ...(await context.multipart.copy(multipart, copy.number + 1, { key, range })) }
  } catch (error) {
    if (isUnsupported(error)) return null
    throw error
  }
}

/** The entries of copied parts. AWS tells the digest with the copy, Ceph when it is asked what parts it has. */
async function entriesOf(
  context: S3Context,
  multipart: MultipartUpload,
  copied: readonly CopiedPart[],
): Promise<ChunkEntry[]> {
  const unknown = copied.filter(({ sha256 }) => sha256 === null).map(({ copy }) => copy.number)
  const [first, last] = [Math.min(...unknown), Math.max(...unknown)]
  const parts = unknown.length === 0 ? [] : await context.multipart.parts(multipart, first, last - first + 1)
  const told = new Map(parts?.map(({ number, etag, sha256 }) => [number, { etag, sha256 }]))
  const entries: ChunkEntry[] = []
  for (const { copy, etag, ...part } of copied) {
    const listed = told.get(copy.number + 1)
    const sha256 = part.sha256 ?? (listed?.etag === etag ? listed.sha256 : null)
    const { number, at, source } = copy
    if (sha256 !== null) entries.push({ number, size: source.end - source.start, sha256, at, etag })
  }
  return entries
}
