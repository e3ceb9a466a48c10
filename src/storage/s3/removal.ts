import { UploadError } from '../../errors.ts'
import type { StoredUpload } from '../../upload.ts'
import type { S3Context } from './context.ts'
import { isOurs } from './final-object.ts'
import { isGoneStatus, manifestDocument, type Place, readManifest, type StoredManifest } from './manifest.ts'
import type { MultipartUpload } from './multipart.ts'

/** How often a multipart upload is aborted that still has parts: one that was on its way can arrive after it. */
const ABORTS = 5

/**
 * Deletes the bytes of an upload that is recorded as gone. May be repeated, and is: what a writer that came too late left
 * behind is found by the next sweep.
 */
export async function discardUpload(context: S3Context, upload: StoredUpload): Promise<void> {
  const { id, fileId } = upload.manifest
  const stored = await readManifest(context.documents, context.keys, id)
  if (stored === null) return
  if (stored.ended === null && !isGoneStatus((await context.ends.read(fileId))?.end.status)) {
    const cause = new Error(`Upload ${id} is not recorded as gone: its bytes are not to be deleted.`)
    throw new UploadError('INTERNAL', { cause })
  }
  await removeBytes(context, stored.place)
  await removeFolder(context, id)
}

/** Whether there is anything that {@link discardUpload} would delete. */
export async function hasBytes(context: S3Context, id: string): Promise<boolean> {
  const stored = await readManifest(context.documents, context.keys, id)
  if (stored === null) return false
  const { key, multipart } = stored.place
  if (multipart !== null && (await context.multipart.parts(multipart, 0, 1)) !== null) return true
  const facts = await context.bucket.head(key)
  if (facts !== null && isOurs(facts, id)) return true
  for await (const object of context.bucket.list(context.keys.upload(id))) {
    if (object.key !== context.keys.manifest(id)) return true
  }
  return false
}

/** First the parts, so that nothing can become the object any more; then the object. */
async function removeBytes(context: S3Context, { id, key, multipart }: Place): Promise<void> {
  if (multipart !== null) await abortParts(context, multipart)
  const facts = await context.bucket.head(key)
  // The application may have put something else under the key of a file that is gone.
  if (facts !== null && isOurs(facts, id)) await context.bucket.remove(key)
}

async function abortParts(context: S3Context, multipart: MultipartUpload): Promise<void> {
  for (let time = 0; time < ABORTS; time += 1) {
    await context.multipart.abort(multipart)
    if ((await context.multipart.parts(multipart)) === null) return
  }
  const cause = new Error(`Parts of ${multipart.key} keep arriving.`)
  throw new UploadError('STORAGE_UNAVAILABLE', { cause })
}

/** Deletes what is in an upload's folder, the manifest excepted. */
async function removeFolder(context: S3Context, id: string): Promise<void> {
  context.tails.delete(id)
  for await (const { key } of context.bucket.list(context.keys.upload(id))) {
    if (key !== context.keys.manifest(id)) await context.bucket.remove(key)
  }
}

/**
 * Deletes what is left of an upload; a finished file stays, with its record.
 *
 * Of one that is gone the manifest goes last: killed before that, the sweeper finds it and goes on. It says first itself
 * that the upload is gone, so that it never stands there as a fresh one once the record of the end is deleted. Of any
 * other the manifest goes first, in one step with which the upload disappears; what a kill leaves then is no upload's, and
 * is swept.
 */
export async function forgetUpload(context: S3Context, id: string): Promise<void> {
  const stored = await readManifest(context.documents, context.keys, id)
  if (stored === null) return
  const { place } = stored
  const standing = stored.ended === null ? await context.ends.read(place.fileId) : null
  const status = stored.ended?.status ?? standing?.end.status
  if (isGoneStatus(status)) {
    if (standing !== null) await markEnded(context, stored, { status, at: standing.end.at })
    await removeFolder(context, id)
    await context.bucket.remove(context.keys.record(place.fileId))
    await context.bucket.remove(context.keys.manifest(id))
  } else {
    await context.bucket.remove(context.keys.manifest(id))
    if (status === undefined) await removeBytes(context, place)
    await removeFolder(context, id)
  }
  context.places.delete(id)
  if (status !== 'uploaded') context.ends.forget(place.fileId)
}

async function markEnded(context: S3Context, stored: StoredManifest, ended: object): Promise<void> {
  const document = { ...manifestDocument(stored.manifest, stored.place), ended }
  await context.documents.put(context.keys.manifest(stored.place.id), document)
}
