import type { Disk } from './disk.ts'
import { hasCode, unlessMissing } from './file-layer.ts'
import { UPLOAD_FILES } from './layout.ts'

/**
 * Deletes what is left of an upload; a finished file stays.
 *
 * The folder loses its name first, in one step, so that no crash leaves a part of it standing as an upload: a manifest
 * whose journal is gone would bring a cancelled upload back as a fresh one. For the same reason the rename is synced
 * before anything is deleted, and the manifest is the first file to go.
 */
export async function forgetUpload(disk: Disk, id: string): Promise<void> {
  const { layer, layout } = disk
  const gone = layout.gone(id)
  const renamed = await unlessMissing(layer.rename(layout.upload(id), gone).then(() => true))
  if (renamed === null) return
  if (disk.fsync !== 'off') await disk.syncFolder(layout.uploads)
  await removeUploadFiles(disk, gone)
}

/** Deletes a folder and the files of ours in it. A folder that holds anything else stays, with that. */
export async function removeUploadFiles(disk: Disk, folder: string): Promise<void> {
  for (const name of UPLOAD_FILES) await disk.remove(`${folder}/${name}`)
  try {
    await unlessMissing(disk.layer.rmdir(folder))
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
  }
}
