import { UploadError } from '../../errors.ts'
import type { ChunkEntry, Ledger } from '../../ledger.ts'
import { goneError, gridOf, isGone, isOpen, type StoredUpload } from '../../upload.ts'
import { removeTails } from './chains.ts'
import type { AssembledFile } from '../storage.ts'
import type { S3Context } from './context.ts'
import { isOurs, NO_BYTES, putFile } from './final-object.ts'
import { loadUpload } from './load.ts'
import { recordLost } from './lost.ts'
import type { Place } from './manifest.ts'
import type { MultipartUpload } from './multipart.ts'
import { CHUNKS_IN_RECORD, packChunks } from './packed-chunks.ts'
import { chooseParts } from './parts.ts'
import { agrees, type ClosedGrid } from './rebuild.ts'
import { isInvalidPart } from './s3-error.ts'
import { compositeOf } from './sha256.ts'

/** Makes the whole object of an upload stand under its final key. See {@link Storage.assemble}. */
export async function assembleUpload(context: S3Context, given: StoredUpload): Promise<AssembledFile> {
  if (isGone(given)) throw goneError(given.status)
  const place = await context.place(given.manifest.id)
  const upload = await full(context, given)
  const grid = { ...gridOf(upload), size: upload.size }
  if (isOpen(upload)) {
    throw new UploadError('INTERNAL', { cause: new Error(`Upload ${place.id} is not recorded as completing.`) })
  }
  if (upload.status !== 'uploaded') {
    await makeObject(context, place, upload, grid)
    const many = upload.ledger.chunks.size > CHUNKS_IN_RECORD
    context.assembled.set(place.id, { size: grid.size, chunks: many ? null : packChunks(upload.ledger) })
  }
  const isComposite = place.multipart !== null && grid.size > 0
  const { key } = place
  return isComposite ? { storageChecksum: compositeOf(digestsOf(upload.ledger)), key } : { key }
}

/** The upload with all of its chunks: as it was given, or else as the bucket knows it. */
async function full(context: S3Context, given: StoredUpload): Promise<StoredUpload & { readonly size: number }> {
  const isFull = given.ledger.isFull(gridOf(given))
  const upload = isFull ? given : ((await loadUpload(context, given.manifest.id)) ?? given)
  if (isGone(upload)) throw goneError(upload.status)
  const { size, ledger } = upload
  if (size !== null && ledger.isFull(gridOf(upload))) return { ...upload, size }
  throw new UploadError('CHUNKS_MISSING', { details: { missing: ledger.missing(gridOf(upload)) } })
}

async function makeObject(
  context: S3Context,
  place: Place,
  upload: StoredUpload & { readonly size: number },
  grid: ClosedGrid,
): Promise<void> {
  const { multipart } = place
  if (upload.size === 0) {
    await putFile(context, place, upload.manifest, NO_BYTES)
    // Of a length that was deferred. Killed before this, the next call does both again.
    if (multipart !== null) await context.multipart.abort(multipart)
  } else if (multipart !== null) {
    await completeParts(context, place, multipart, upload.ledger, grid)
  }
  // The only chunk of a small file was written straight under its key: it is there.
  if (upload.manifest.size === null) {
    // Killed before this, the segments are found by the sweep: their upload will have ended.
    context.aside(() => removeTails(context, place.id))
  }
}

/**
 * Completes the multipart upload with exactly our ledger's parts. Killed before S3 does it, the parts stand and this is
 * done again; after it, the object stands, and whoever comes next finds it by its metadata and checksum.
 */
async function completeParts(
  context: S3Context,
  place: Place,
  multipart: MultipartUpload,
  ledger: Ledger,
  grid: ClosedGrid,
): Promise<void> {
  const entries = inOrder(ledger)
  if (entries.length > CHUNKS_IN_RECORD) {
    // Before the parts are gone: after it nobody but this object could tell the chunks of the finished file.
    await context.documents.put(context.keys.fact(place.id, 'ledger'), { chunks: packChunks(ledger) })
  }
  let isAsked = entries.some((entry) => entry.etag === undefined)
  for (let turn = 0; ; turn += 1) {
    const parts = await chooseParts(context, place, multipart, { entries, isAsked })
    try {
      if (parts === null) break
      const checksum = await context.multipart.complete(multipart, parts)
      if (checksum === null || checksum === compositeOf(digestsOf(ledger))) return
      throw new UploadError('INTERNAL', {
        cause: new Error(`S3 made ${place.key} of other parts than it was told to.`),
      })
    } catch (error) {
      // Whatever it says, it may have been done: then there are no parts any more.
      if ((await context.multipart.parts(multipart)) === null) break
      if (!isInvalidPart(error)) throw error
      if (turn > 0) throw new UploadError('STORAGE_UNAVAILABLE', { cause: error })
      // S3 has other parts than the ledger says: see what it has, and go on with what is the same.
      isAsked = true
    }
  }
  if (await stands(context, place, grid, entries)) return
  await recordLost(context, place)
  throw goneError('failed')
}

/** Whether the object of these chunks stands under the upload's key. */
async function stands(
  context: S3Context,
  place: Place,
  grid: ClosedGrid,
  entries: readonly ChunkEntry[],
): Promise<boolean> {
  const facts = await context.bucket.head(place.key)
  return facts !== null && isOurs(facts, place.id) && facts.size === grid.size && agrees(facts, entries)
}

function inOrder(ledger: Ledger): ChunkEntry[] {
  return [...ledger.chunks.values()].toSorted((a, b) => a.number - b.number)
}

function digestsOf(ledger: Ledger): string[] {
  return inOrder(ledger).map((entry) => entry.sha256)
}
