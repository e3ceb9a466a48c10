import { UploadError } from '../../errors.ts'
import { isGone } from '../../upload.ts'
import type { Disk } from './disk.ts'
import { unlessMissing } from './file-layer.ts'
import { isId, PASSING_FOLDER, TEMPORARY_FILE } from './layout.ts'
import { loadUpload } from './load.ts'
import { readManifest } from './manifest.ts'
import { forgetUpload, removeUploadFiles } from './forget.ts'
import type { UploadFolder, UploadFolders } from './upload-folder.ts'

/** Leftovers are older than this before they are swept, ms: younger ones may be somebody's work. */
const LEFTOVER_AGE_MS = 60_000

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

/** Removes what crashes left behind, by names of our own shape only. */
export async function sweepLeftovers(disk: Disk, folders: UploadFolders): Promise<void> {
  const { layer, layout } = disk
  for (const name of await layer.readdir(layout.uploads)) {
    const path = `${layout.uploads}/${name}`
    if (PASSING_FOLDER.test(name)) {
      if (await isLeftover(disk, path)) await removeUploadFiles(disk, path)
    } else if (isId(name) && (await isNoUpload(disk, name))) {
      // Looked at again where it cannot meet a creation.
      await folders.use(name, (folder) =>
        folder.exclusive(async () => {
          if (await isNoUpload(disk, name)) await forgetUpload(disk, name)
        }),
      )
    }
  }
  for (const folder of [layout.directory, layout.files, layout.claims]) {
    for (const name of await layer.readdir(folder)) {
      const path = `${folder}/${name}`
      if (TEMPORARY_FILE.test(name) && (await isLeftover(disk, path))) await disk.remove(path)
    }
  }
}

/** Whether a folder of an upload's name holds no manifest. One of a newer version cannot be read, and is somebody's. */
async function isNoUpload(disk: Disk, id: string): Promise<boolean> {
  if (!(await isLeftover(disk, disk.layout.upload(id)))) return false
  return (await readManifest(disk, id).catch(() => undefined)) === null
}

async function isLeftover(disk: Disk, path: string): Promise<boolean> {
  const facts = await unlessMissing(disk.layer.stat(path))
  return facts !== null && facts.mtimeMs < Date.now() - LEFTOVER_AGE_MS
}
