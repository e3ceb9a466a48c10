import { createHash } from 'node:crypto'
import { UploadError } from '../../errors.ts'
import type { Tail } from '../../ledger.ts'
import type { StoredUpload } from '../../upload.ts'
import type { Hold } from '../storage.ts'
import type { Payload } from './calls.ts'
import { continued, digestsIn, findChain, removeSegments, removeTail, segmentMetadata, tailMissing } from './chains.ts'
import type { S3Context } from './context.ts'
import { isRefused } from './s3-error.ts'
import { holdsAll, type Segment, segmentAfter, type Stretch } from './segments.ts'

/** A tail that is to be kept. */
export interface NewTail {
  readonly tail: Tail
  /** The tail it continues. */
  readonly before: Tail | null
  /** The bytes after that. */
  readonly hold: Hold
}

/**
 * Makes the bytes that were held a segment of the tail. Killed before the request is done, the tail before it stands;
 * after it, the longer one, in one step. The segments before are part of it and stay.
 *
 * Where a segment stands already, it is our own whose answer was lost, or one that was written and never acknowledged: if
 * it holds the same bytes, what is left of ours follows it.
 *
 * @throws UploadError `UPLOAD_LOCKED` where the bucket has gone on from there in another way; `CHUNKS_MISSING` where the
 * tail is gone: its chunk is there
 */
export async function saveTail(context: S3Context, id: string, { tail, before, hold }: NewTail): Promise<void> {
  const { number, size, sha256 } = tail
  const given = before?.size ?? 0
  let segments = before === null ? [] : await findChain(context, id, before)
  let stretch: Stretch | null = before
  for (;;) {
    const segment = segmentAfter(context.keys, id, { number, chain: segments, before: stretch, to: size })
    const skipped = segment.after - given
    const rest: Payload = {
      size: size - segment.after,
      sha256: stretch === null ? sha256 : await digestOf(hold, skipped, size - given),
      body: () => stretchOf(hold, skipped, size - given),
    }
    const isWhole = holdsAll(segment.index)
    const payload = isWhole ? continued(context, id, segments, stretch, { ...rest, size, sha256 }) : rest
    const standing = (await create(context, segment, payload, sha256)) ? null : await look(context, segment)
    if (standing === null || (standing.to === size && standing.end === sha256)) {
      remember(context, id, tail, segments, segment)
      return
    }
    const follows = standing.to < size && segment.from === segment.after
    if (!follows || standing.held !== (await digestOf(hold, skipped, standing.to - given))) throw taken()
    segments = [...segments, { ...segment, to: standing.to }]
    stretch = { size: standing.to, sha256: standing.end }
  }
}

/** Writes a segment where nothing stands. Returns whether it was written. */
async function create(
  { bucket, options }: S3Context,
  segment: Segment,
  payload: Payload,
  end: string,
): Promise<boolean> {
  const headers = { metadata: segmentMetadata(end, payload.sha256) }
  if (!options.conditionalWrites) {
    if ((await bucket.head(segment.key)) !== null) return false
    await bucket.put(segment.key, payload, headers)
    return true
  }
  try {
    await bucket.put(segment.key, payload, headers, { absent: true })
    return true
  } catch (error) {
    if (isRefused(error)) return false
    throw error
  }
}

/** What stands in the place of a segment. */
async function look({ bucket }: S3Context, { key, number, from }: Segment) {
  const facts = await bucket.head(key)
  if (facts === null) throw tailMissing(number)
  const { end, held } = digestsIn(facts)
  if (end === null) throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error(`${key} is no segment.`) })
  return { to: from + facts.size, end, held }
}

/**
 * The segments that a later one needs are remembered. One that holds all bytes has made those before it superfluous; they
 * go when the next is written: by then it was acknowledged.
 */
function remember(context: S3Context, id: string, tail: Tail, before: readonly Segment[], segment: Segment): void {
  const segments = holdsAll(segment.index) ? [segment] : [...before, segment]
  context.tails.set(id, { tail, segments })
  const { number, index } = segment
  if (index > 1 && holdsAll(index - 1)) context.aside(() => removeSegments(context, id, number, index - 1))
}

/**
 * A chunk is acknowledged that has the tail's bytes in it. Only now: who was refused has put nothing in their place. While
 * the length is deferred they stay, until the file is made: a length that ends with the tail makes it the last chunk, of
 * just these bytes.
 */
export function dropTail(context: S3Context, { manifest }: StoredUpload, chunk: number): void {
  const known = context.tails.get(manifest.id)
  if (known?.tail.number !== chunk || manifest.size === null) return
  context.tails.delete(manifest.id)
  context.aside(() => removeTail(context, manifest.id, known.segments))
}

/** SHA-256 (hex) of bytes `[from, to)` of what is held. */
async function digestOf(hold: Hold, from: number, to: number): Promise<string> {
  const hash = createHash('sha256')
  for await (const buffer of stretchOf(hold, from, to)) hash.update(buffer)
  return hash.digest('hex')
}

/** Bytes `[from, to)` of what is held. */
async function* stretchOf(hold: Hold, from: number, to: number): AsyncGenerator<Buffer> {
  let at = 0
  for await (const buffer of hold.read()) {
    const piece = buffer.subarray(Math.max(0, from - at), Math.max(0, to - at))
    at += buffer.length
    if (piece.length > 0) yield piece
    if (at >= to) return
  }
}

function taken(): UploadError {
  return new UploadError('UPLOAD_LOCKED', {
    message: 'Other bytes than these follow already. Ask how far the upload is, and go on from there.',
  })
}
