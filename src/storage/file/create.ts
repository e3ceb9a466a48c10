import type { Manifest } from '../../upload.ts'
import { closeQuietly, hasCode, type LayerHandle } from './file-layer.ts'
import { forgetUpload, removeUploadFiles } from './forget.ts'
import { toJson } from './json.ts'
import { readManifest } from './manifest.ts'
import type { UploadFolder } from './upload-folder.ts'

/**
 * Writes an upload's folder. Returns false where the id exists.
 *
 * The manifest comes last, and only with it is the folder an upload: one that a kill, or a full disk, has cut off cannot be
 * read. What there is then is nobody's; it is swept, and is not in the way of a repeated creation. The journal is empty
 * until its first line, which brings the header with it.
 *
 * Creations are synced with `chunk` only: otherwise a power cut may take an upload of the last seconds with its bytes, which
 * were not synced either, and the client begins anew.
 */
export async function createUploadFolder(folder: UploadFolder, manifest: Manifest): Promise<boolean> {
  const { disk, id } = folder
  const { layer, layout } = disk
  const sync = disk.syncs('chunk')
  const path = layout.upload(id)
  try {
    await layer.mkdir(path, { recursive: false })
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    if ((await readManifest(disk, id)) !== null) return false
    // What was left of a creation is no upload, and must not keep a repeated one from its id.
    await folder.journal.letGo()
    await forgetUpload(disk, id)
    return await createUploadFolder(folder, manifest)
  }
  let journal: LayerHandle | null = null
  try {
    // It stays open: the lines of a small file come at once.
    journal = await layer.open(layout.journal(id), 'w')
    await disk.write(layout.manifest(id), toJson(manifest), sync)
    if (sync) await disk.syncFolder(path)
  } catch (error) {
    if (journal !== null) await closeQuietly(journal)
    await removeUploadFiles(disk, path).catch(() => {})
    throw error
  }
  folder.manifest = manifest
  folder.fileless = true
  folder.journal.begun({ v: 1, id, boot: disk.boot }, journal)
  if (sync) await disk.syncFolder(layout.uploads)
  return true
}
