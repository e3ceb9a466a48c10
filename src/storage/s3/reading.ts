import { Readable } from 'node:stream'
import { UploadError } from '../../errors.ts'
import { chunkAt, chunkStart } from '../../grid.ts'
import { gridOf, type StoredUpload } from '../../upload.ts'
import type { ObjectFacts } from './bucket.ts'
import { findChain, readSegment } from './chains.ts'
import type { S3Context } from './context.ts'
import { isOurs } from './final-object.ts'
import { readObject } from './ranges.ts'
import { isNoSuchKey, storageError } from './s3-error.ts'

/** Bytes `[start, end)` of an upload: of its tail, or of its object where that stands. */
export async function* readUpload(
  context: S3Context,
  upload: StoredUpload,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  try {
    if (start >= end) return
    if (isInTail(upload, start, end)) yield* readTail(context, upload, start, end)
    else {
      const place = await context.place(upload.manifest.id)
      const check = (facts: ObjectFacts) => mustBeOurs(facts, place.id)
      yield* readObject(context.bucket, place.key, start, end, { check })
    }
  } catch (error) {
    if (!isNoSuchKey(error)) throw storageError(error)
    // Of an upload that is not finished S3 gives nothing back but the tail.
    throw new UploadError('STORAGE_UNAVAILABLE', { cause: error })
  }
}

function isInTail({ ledger, manifest }: StoredUpload, start: number, end: number): boolean {
  if (ledger.tail === null) return false
  const first = ledger.tail.number * manifest.chunkSize
  return start >= first && end <= first + ledger.tail.size
}

async function* readTail(context: S3Context, upload: StoredUpload, start: number, end: number): AsyncGenerator<Buffer> {
  const { tail } = upload.ledger
  if (tail === null) return
  const grid = gridOf(upload)
  const first = chunkStart(grid, chunkAt(grid, start))
  for (const segment of await findChain(context, upload.manifest.id, tail)) {
    const from = Math.max(start - first, segment.from)
    const to = Math.min(end - first, segment.to)
    if (from < to) yield* readSegment(context, upload.manifest.id, segment, from - segment.from, to - segment.from)
  }
}

function mustBeOurs(facts: ObjectFacts, id: string): void {
  if (!isOurs(facts, id)) throw new UploadError('FILE_NOT_FOUND')
}

/**
 * A finished file for reading, bytes `[start, end)`. The first of them are here when it resolves.
 * @throws UploadError `FILE_NOT_FOUND`
 */
export async function openFile(context: S3Context, fileId: string, start: number, end: number): Promise<Readable> {
  const file = await locateFile(context, fileId)
  const check = (facts: ObjectFacts) => mustBeOurs(facts, file.uploadId)
  try {
    if (start >= end) {
      const facts = await context.bucket.head(file.key)
      if (facts === null) throw new UploadError('FILE_NOT_FOUND')
      check(facts)
      return Readable.from([], { objectMode: false })
    }
    return await openRange(context, file.key, start, end, check)
  } catch (error) {
    throw isNoSuchKey(error) ? new UploadError('FILE_NOT_FOUND', { cause: error }) : error
  }
}

async function openRange(
  context: S3Context,
  key: string,
  start: number,
  end: number,
  check: (facts: ObjectFacts) => void,
): Promise<Readable> {
  const controller = new AbortController()
  const { signal } = controller
  const pieces = readObject(context.bucket, key, start, end, { signal, check })
  const first = await pieces.next()
  async function* all() {
    try {
      if (first.done !== true) yield first.value
      yield* pieces
    } catch (error) {
      throw storageError(error)
    }
  }
  // Nothing is read ahead: the next piece is asked for when the one before has been taken.
  const stream = Readable.from(all(), { objectMode: false, highWaterMark: 0 })
  // Whoever leaves in the middle ends the request, also where it waits for bytes.
  stream.once('close', () => controller.abort())
  return stream
}

/** Where a finished file is. Keys never change, so what was seen once is enough; the object itself has the last word. */
export async function locateFile(
  context: S3Context,
  fileId: string,
): Promise<{ readonly key: string; readonly uploadId: string }> {
  const { end } = context.ends.seen(fileId) ?? (await context.ends.read(fileId)) ?? {}
  if (end?.status === 'uploaded') return end
  throw new UploadError('FILE_NOT_FOUND')
}
