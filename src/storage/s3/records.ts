import { UploadError } from '../../errors.ts'
import { type Deliveries, owedTo, type Receiver, settled } from '../../deliveries.ts'
import type { FileRecord } from '../../files.ts'
import { endsFile, goneError, type GoneStatus } from '../../upload.ts'
import type { RecordedChange } from '../storage.ts'
import { listSegments } from './chains.ts'
import type { S3Context } from './context.ts'
import type { End, StandingEnd } from './ends.ts'
import { isCount } from './json.ts'
import type { Place } from './manifest.ts'
import { chainOf } from './segments.ts'

/** How often a write is begun again because another came in between. */
const TURNS = 8

/** Records a change. See {@link Storage.record}. */
export async function recordChange(context: S3Context, id: string, change: RecordedChange): Promise<void> {
  switch (change.type) {
    case 'length':
      return await recordLength(context, id, change.size, change.at)
    case 'completing':
      return await recordCompleting(context, await context.place(id))
    case 'digest':
      return await recordDigest(context, await context.place(id), change.sha256)
    case 'ended':
      return change.status === 'uploaded'
        ? await recordUploaded(context, await context.place(id), change.at)
        : await recordGone(context, await context.place(id), change.status, change.at, change.ofFile)
  }
}

/**
 * One object, unless the file is one object of its own anyway: then nothing is written, and a merge finds an upload that
 * has all its chunks and is not completing yet. That is true as well: nobody is told that a file is there before its end
 * is recorded, and whoever touches the upload next completes it.
 */
async function recordCompleting(context: S3Context, place: Place): Promise<void> {
  if (place.multipart === null) return
  await context.documents.put(context.keys.fact(place.id, 'completing'), {})
}

/** The file's own record takes the digest where it stands already; else it waits for it in an object of its own. */
async function recordDigest(context: S3Context, place: Place, sha256: string): Promise<void> {
  const seen = context.ends.seen(place.fileId)
  if (seen !== null && seen.end.status === 'uploaded' && seen.end.file !== null) {
    const { file } = seen.end
    if (file.checksum !== null) return
    const end = { ...seen.end, file: { ...file, checksum: sha256 } }
    if ((await context.ends.write(place.fileId, end, seen)).written) return
  }
  await context.documents.put(context.keys.fact(place.id, 'digest'), { sha256 })
}

/** The first length wins. What storage has beyond it was acknowledged, or is about to be: then it is not the length. */
async function recordLength(context: S3Context, id: string, size: number, at: number): Promise<void> {
  const place = await context.place(id)
  if (await reachesBeyond(context, place, size)) {
    throw lengthError('Upload-Length is less than what is already stored.')
  }
  const outcome = await context.documents.create(context.keys.fact(id, 'length'), { size, at })
  if (outcome.written || outcome.standing?.value.size === size) return
  const known = isCount(outcome.standing?.value.size) ? ` is ${outcome.standing.value.size} and` : ''
  throw lengthError(`The length of this upload${known} cannot be changed.`)
}

/**
 * Whether S3 has a part or a tail that reaches beyond a length. State may have lost such a chunk; S3 would not let the
 * file be made without it (Ceph), or would drop it (AWS).
 */
async function reachesBeyond(context: S3Context, place: Place, size: number): Promise<boolean> {
  if (place.multipart === null) return false
  const { chunkSize } = place
  const inside = Math.floor(size / chunkSize)
  const [parts, segments] = await Promise.all([
    context.multipart.parts(place.multipart, inside),
    listSegments(context, place.id),
  ])
  if (parts?.some((part) => (part.number - 1) * chunkSize + part.size > size)) return true
  const numbers = new Set(segments.map((segment) => segment.number))
  return [...numbers].some((number) => number * chunkSize + (chainOf(segments, number).at(-1)?.to ?? 0) > size)
}

/**
 * The end is written where none stands: before it the upload lives, after it nobody can end it otherwise. An instance that
 * has just written the file's record has written this.
 */
async function recordUploaded(context: S3Context, place: Place, at: number): Promise<void> {
  const { end } = (await context.ends.recent(place.fileId)) ?? (await writeUploaded(context, place, at, null))
  if (end.status !== 'uploaded') throw goneError(end.status)
}

/** Writes the end `uploaded`, unless another stands; returns the one that does. */
async function writeUploaded(
  context: S3Context,
  place: Place,
  at: number,
  file: FileRecord | null,
  owed: readonly Receiver[] = [],
): Promise<StandingEnd> {
  const made = context.assembled.get(place.id)
  const size = file?.size ?? made?.size ?? null
  const chunks = made?.chunks ?? null
  const end: End = { ...base(place), status: 'uploaded', at, size, file, deliveries: owedTo(owed), chunks }
  const { written, standing } = await context.ends.write(place.fileId, end, null)
  if (written) context.assembled.delete(place.id)
  return mustStand(standing)
}

/** Ends an upload for good. An end that stands is only ever replaced where a finished file is taken away. */
export async function recordGone(
  context: S3Context,
  place: Place,
  status: GoneStatus,
  at: number,
  ofFile: boolean | undefined,
): Promise<void> {
  // An expiry that comes too late. A completion that is recorded between this look and the write is taken with the rest:
  // nobody has been told of its file.
  if (status === 'expired' && ofFile !== true && (await isCompleting(context, place))) {
    throw new UploadError('UPLOAD_COMPLETED')
  }
  const end: End = { ...base(place), status, at, size: null, file: null, chunks: null }
  let over: StandingEnd | null = null
  for (let turn = 0; turn < TURNS; turn += 1) {
    const { written, standing } = await context.ends.write(place.fileId, end, over)
    if (written) return
    if (standing !== null) {
      if (standing.end.status === status) return
      if (standing.end.status !== 'uploaded') throw goneError(standing.end.status)
      if (!endsFile(status, ofFile)) throw new UploadError('UPLOAD_COMPLETED')
    }
    over = standing
  }
  throw contended(place.fileId)
}

async function isCompleting(context: S3Context, place: Place): Promise<boolean> {
  if (place.multipart === null) return false
  return (await context.bucket.head(context.keys.fact(place.id, 'completing'))) !== null
}

/**
 * Writes the record of a finished file, which is its upload's end at the same time; or adds the checksum to it.
 * @throws UploadError 410 codes where the upload is gone: no record brings it back
 */
export async function putFileRecord(context: S3Context, file: FileRecord, owed: readonly Receiver[]): Promise<void> {
  const place = await context.place(file.uploadId)
  let standing = context.ends.seen(file.id)
  for (let turn = 0; turn < TURNS; turn += 1) {
    if (standing === null) {
      standing = await writeUploaded(context, place, file.uploadedAt, file, owed)
      if (standing.end.file === file) return
    }
    const { end } = standing
    if (end.status !== 'uploaded') throw goneError(end.status)
    // Of two that completed it the first has told its client of the file: all that is new to it is a checksum.
    const stands = end.file === null ? file : { ...end.file, checksum: end.file.checksum ?? file.checksum }
    // An end that was recorded without its file owed nobody anything yet.
    const deliveries = end.file === null ? owedTo(owed) : end.deliveries
    const next = { ...end, size: file.size, file: stands, deliveries }
    const outcome = await context.ends.write(file.id, next, standing)
    if (outcome.written) return
    standing = outcome.standing
  }
  throw contended(file.id)
}

/** Records how telling of a file went, unless the file is gone. */
export async function settleDeliveries(context: S3Context, fileId: string, outcomes: Deliveries): Promise<void> {
  let standing = context.ends.seen(fileId) ?? (await context.ends.read(fileId))
  for (let turn = 0; turn < TURNS; turn += 1) {
    if (standing === null || standing.end.status !== 'uploaded' || standing.end.deliveries === undefined) return
    const deliveries = settled(standing.end.deliveries, outcomes)
    const outcome = await context.ends.write(fileId, { ...standing.end, deliveries }, standing)
    if (outcome.written) return
    standing = outcome.standing
  }
  throw contended(fileId)
}

/** Takes a file's record away. Its upload stays ended: only the file's part of the record goes. */
export async function removeFileRecord(context: S3Context, fileId: string): Promise<void> {
  let standing = await context.ends.read(fileId)
  for (let turn = 0; turn < TURNS; turn += 1) {
    if (standing === null || standing.end.file === null) return
    const outcome = await context.ends.write(fileId, { ...standing.end, file: null }, standing)
    if (outcome.written) return
    standing = outcome.standing
  }
  throw contended(fileId)
}

function base({ id, key }: Place): { readonly uploadId: string; readonly key: string } {
  return { uploadId: id, key }
}

function mustStand(standing: StandingEnd | null): StandingEnd {
  if (standing === null) throw new Error('A record that was looked at is not there.')
  return standing
}

function contended(fileId: string): UploadError {
  return new UploadError('STORAGE_UNAVAILABLE', { cause: new Error(`The record of file ${fileId} is being written.`) })
}

function lengthError(message: string): UploadError {
  return new UploadError('INVALID_REQUEST', { message, details: { field: 'Upload-Length' } })
}
