import { UploadError } from '../../errors.ts'
import { isGone, type StoredUpload } from '../../upload.ts'
import type { Disk } from './disk.ts'
import { loadUpload } from './load.ts'
import type { UploadFolder } from './upload-folder.ts'

/**
 * Deletes the bytes of an upload that is recorded as gone, under either name. The file's record goes first: without it
 * nobody is promised bytes. May be repeated.
 */
export async function discardUpload(folder: UploadFolder): Promise<void> {
  const { disk, id } = folder
  const { layout } = disk
  const upload = await loadUpload(folder)
  if (upload === null) return
  if (!isGone(upload)) {
    const cause = new Error(`Upload ${id} is ${upload.status}: its bytes are not to be deleted.`)
    throw new UploadError('INTERNAL', { cause })
  }
  await disk.remove(layout.fileRecord(upload.manifest.fileId))
  await disk.remove(layout.file(upload.manifest.fileId))
  await disk.remove(layout.data(id))
  // What a crash has left half made.
  await disk.remove(layout.shared(id))
  if (disk.fsync === 'off') return
  await disk.syncFolder(layout.files)
  await disk.syncFolder(layout.upload(id))
}

/** Whether there is anything that {@link discardUpload} would delete. */
export async function hasBytes(disk: Disk, { manifest: { id, fileId } }: StoredUpload): Promise<boolean> {
  const { layout } = disk
  for (const path of [layout.fileRecord(fileId), layout.file(fileId), layout.data(id)]) {
    if ((await disk.sizeOf(path)) !== null) return true
  }
  return false
}
