import { createHash } from 'node:crypto'
import { UploadError } from './errors.ts'
import type { StoredUpload } from './upload.ts'

/** An upload whose bytes another begins with, goes on with or ends with. */
export interface Part {
  /** The upload's id. */
  readonly id: string
  /** Bytes. */
  readonly size: number
}

/**
 * What an upload has to do with others: it is a part of files to come and no file itself, or it is made of the bytes of
 * such parts, in this order, and takes none from a client.
 */
export type Concatenation =
  | { readonly kind: 'partial' }
  | {
      readonly kind: 'final'
      /** The same one may be there more than once. */
      readonly parts: readonly Part[]
    }

/** Bytes `[start, end)` of a part. */
export interface Stretch {
  readonly id: string
  readonly start: number
  readonly end: number
}

/** Whether an upload is a part of files to come. It is never a file itself: it has no record, and it expires. */
export function isPartial({ manifest }: Pick<StoredUpload, 'manifest'>): boolean {
  return manifest.concatenation?.kind === 'partial'
}

/** What an upload is made of, or null where clients send its bytes. */
export function partsOf({ manifest }: Pick<StoredUpload, 'manifest'>): readonly Part[] | null {
  return manifest.concatenation?.kind === 'final' ? manifest.concatenation.parts : null
}

/** @throws UploadError `FORBIDDEN` where the upload is made of others */
export function mustTakeBytes(upload: Pick<StoredUpload, 'manifest'>): void {
  if (partsOf(upload) === null) return
  throw new UploadError('FORBIDDEN', { message: 'This upload is made of others, and takes no bytes itself.' })
}

/** The stretches of its parts that make up bytes `[start, end)` of a final, in order. */
export function stretchesOf(parts: readonly Part[], start: number, end: number): Stretch[] {
  const stretches: Stretch[] = []
  let before = 0
  for (const { id, size } of parts) {
    const from = Math.max(start, before)
    const to = Math.min(end, before + size)
    if (from < to) stretches.push({ id, start: from - before, end: to - before })
    before += size
  }
  return stretches
}

/** What makes two creations of a final the same one. */
export interface FinalRequest {
  readonly owner: string | null
  /** Ids of the parts, in order. */
  readonly parts: readonly string[]
  /** What else the client says of the file. */
  readonly file: object
  /** How the client wrote the list of parts, where it may be written in more than one way. */
  readonly spelling: string
}

/**
 * The id of a final: the same request means the same upload, so that one that is repeated makes no second file, whatever
 * has become of the parts meanwhile. Whoever does not know the parts' ids cannot know it. `turn`: how often such an upload
 * was there before, and is gone.
 */
export function finalId({ owner, parts, file, spelling }: FinalRequest, turn: number): string {
  const request = JSON.stringify(['final', owner, parts, file, spelling, turn])
  const digest = createHash('sha256').update(request).digest('hex')
  // A UUID of version 8: made in a way of our own (RFC 9562, section 5.8).
  const text = `${digest.slice(0, 12)}8${digest.slice(13, 16)}8${digest.slice(17, 32)}`
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Whether a value that was stored is a {@link Concatenation}. */
export function isConcatenation(value: unknown): value is Concatenation {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false
  if (value.kind === 'partial') return true
  return value.kind === 'final' && 'parts' in value && Array.isArray(value.parts) && value.parts.every(isPart)
}

function isPart(value: unknown): value is Part {
  if (typeof value !== 'object' || value === null || !('id' in value) || !('size' in value)) return false
  return typeof value.id === 'string' && Number.isSafeInteger(value.size) && Number(value.size) >= 0
}
