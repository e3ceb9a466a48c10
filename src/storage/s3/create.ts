import { isPartial } from '../../concatenation.ts'
import { UploadError } from '../../errors.ts'
import { chunkCount } from '../../grid.ts'
import type { Manifest } from '../../upload.ts'
import type { S3Context } from './context.ts'
import { objectHeaders } from './final-object.ts'
import { manifestDocument, type Place } from './manifest.ts'
import type { MultipartUpload } from './multipart.ts'

/** Bytes of the longest key that S3 takes. */
const LONGEST_KEY = 1024

/**
 * Makes an upload. Returns false where the id exists.
 *
 * The multipart upload is begun before the manifest, which names it. Killed in between, it belongs to no upload: nobody
 * was told of it, and the sweep aborts it (see sweep.ts). Killed after the manifest, the upload is there.
 */
export async function createUpload(context: S3Context, manifest: Manifest): Promise<boolean> {
  const { id, fileId, chunkSize } = manifest
  const key = keyOf(context, manifest)
  const multipart = isOnePiece(manifest) ? null : await context.multipart.create(key, objectHeaders(manifest))
  const place: Place = { id, fileId, key, chunkSize, multipart }
  try {
    const outcome = await context.documents.create(context.keys.manifest(id), manifestDocument(manifest, place))
    if (outcome.written) context.places.set(id, place)
    else abandon(context, multipart)
    return outcome.written
  } catch (error) {
    // Whether the manifest stands is not known: if it does, it needs its multipart upload; if not, the sweep aborts it.
    if (error instanceof UploadError) abandon(context, multipart)
    throw error
  }
}

/** Whether one object takes all there is: a part would be a detour, and S3 makes no object of no parts. */
function isOnePiece(manifest: Manifest): boolean {
  const count = chunkCount(manifest)
  return count !== null && count <= 1
}

function keyOf({ options, keys }: S3Context, manifest: Manifest): string {
  const { id, fileId, owner, fileName, contentType, size, metadata } = manifest
  // A part is no file of the application's.
  if (isPartial({ manifest })) return keys.part(fileId, id)
  if (options.key === null) return keys.file(fileId, id)
  const key: unknown = options.key({ fileId, uploadId: id, owner, fileName, contentType, size, metadata })
  if (typeof key !== 'string' || key === '' || Buffer.byteLength(key) > LONGEST_KEY) {
    throw new Error(`key() must return a string of 1 to ${LONGEST_KEY} bytes.`)
  }
  if (keys.isRecord(key)) throw new Error('key() returned a key among the records of this storage.')
  return key
}

function abandon(context: S3Context, multipart: MultipartUpload | null): void {
  if (multipart !== null) context.aside(() => context.multipart.abort(multipart))
}
