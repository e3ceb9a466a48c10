import { constants } from 'node:fs'
import { isPartial } from '../../concatenation.ts'
import { UploadError } from '../../errors.ts'
import { gridOf, isGone, goneError, isOpen, type StoredUpload } from '../../upload.ts'
import { unlessMissing } from './file-layer.ts'
import { knownUpload } from './load.ts'
import type { UploadFolder } from './upload-folder.ts'

/**
 * Gives the bytes of an upload their final name. Can be repeated from any point at which it was cut off:
 *
 * 1. The bytes are synced, unless this process has done so: `completing` was recorded only after that, but perhaps by a
 *    process that ran with other options.
 * 2. One rename moves them. Until it, everything is as before; after it, the next call finds the file and is done.
 * 3. Both folders are synced, the one that received the name first. Only then may `uploaded` be recorded.
 *
 * A part of files to come is no file: its bytes stay where they are.
 */
export async function assembleUpload(folder: UploadFolder): Promise<void> {
  const { disk, id } = folder
  const { layer, layout } = disk
  const upload = await knownUpload(folder)
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND')
  const size = mustBeComplete(upload)
  const data = layout.data(id)
  const file = layout.file(upload.manifest.fileId)

  // No more than a part has a file can one stand of what this process has made and given no name yet.
  const standing = isPartial(upload) || folder.fileless ? null : await disk.sizeOf(file)
  if (isPartial(upload)) {
    await makeWhole(folder, data, size)
  } else if (standing === null) {
    await makeWhole(folder, data, size)
    const isFirst = folder.fileless
    // Before it is tried: where it fails it may have happened all the same.
    folder.fileless = false
    if ((await unlessMissing(layer.rename(data, file).then(() => true))) === null) throw lost(id)
    folder.recordless = isFirst
  } else if (standing === size) {
    // A writer that came too late may have begun the data file anew.
    await disk.remove(data)
  } else {
    throw internal(`The file of upload ${id} has ${standing} bytes in place of ${size}.`)
  }
  if (disk.fsync === 'off') return
  await disk.syncFolder(layout.files)
  await disk.syncFolder(layout.upload(id))
}

/** Size of an upload that may be assembled, in bytes. */
function mustBeComplete(upload: StoredUpload): number {
  if (isGone(upload)) throw goneError(upload.status)
  const { ledger, size, manifest } = upload
  const grid = gridOf(upload)
  if (size !== null && ledger.isFull(grid) && !isOpen(upload)) return size
  if (isOpen(upload) && ledger.isFull(grid)) throw internal(`Upload ${manifest.id} is not recorded as completing.`)
  throw new UploadError('CHUNKS_MISSING', { details: { missing: ledger.missing(grid) } })
}

/** Leaves the data file with exactly its bytes, synced unless nothing is. */
async function makeWhole(folder: UploadFolder, path: string, size: number): Promise<void> {
  const { disk } = folder
  if (disk.fsync === 'off' && (isOwn(folder) || (await disk.sizeOf(path)) === size)) return
  const flags = size === 0 ? constants.O_RDWR | constants.O_CREAT : constants.O_RDWR
  const found = await unlessMissing(
    disk.withFile(path, flags, async (handle) => {
      const { size: actual } = await handle.stat()
      if (actual < size) throw internal(`The data of upload ${folder.id} has ${actual} bytes in place of ${size}.`)
      // An aborted chunk of a deferred length can leave bytes beyond the end.
      if (actual > size) await handle.truncate(size)
      if (actual > size || !folder.synced) await folder.sync(handle)
      return true
    }),
  )
  if (found !== null) return
  throw lost(folder.id)
}

/** Whether this process has made the data file, and written no byte but those of the ledger, which is full. */
function isOwn({ fileless, manifest, shared }: UploadFolder): boolean {
  // While a length was not known there was no end to the last chunk; a part that was shared may have been the longer one.
  return fileless && manifest !== null && manifest.size !== null && manifest.size > 0 && shared === null
}

function lost(id: string): UploadError {
  const cause = new Error(`Upload ${id} has neither data nor a finished file.`)
  return new UploadError('STORAGE_UNAVAILABLE', { cause })
}

function internal(message: string): UploadError {
  return new UploadError('INTERNAL', { cause: new Error(message) })
}
