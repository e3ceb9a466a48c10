import type { Manifest } from '../../upload.ts'
import type { Disk } from './disk.ts'
import { hasCode } from './file-layer.ts'
import { forgetUpload, removeUploadFiles } from './forget.ts'
import { encodeJournal } from './journal-format.ts'
import { toJson } from './json.ts'
import { readManifest } from './manifest.ts'

/**
 * Writes an upload's folder. Returns false where the id exists.
 *
 * The folder is made under another name and gets its own by one rename, so a crash leaves it whole or not at all; what a
 * crash leaves under the other name is swept. Creations are synced with `chunk` only: otherwise a power cut may take an
 * upload of the last seconds with its bytes, which were not synced either, and the client begins anew.
 */
export async function createUploadFolder(disk: Disk, manifest: Manifest): Promise<boolean> {
  const { layer, layout } = disk
  const sync = disk.syncs('chunk')
  const folder = layout.passing('new', manifest.id)
  await layer.mkdir(folder, { recursive: false })
  try {
    await disk.write(`${folder}/manifest.json`, toJson(manifest), sync)
    await disk.write(`${folder}/journal`, encodeJournal({ v: 1, id: manifest.id, boot: disk.boot }, []), sync)
    if (sync) await disk.syncFolder(folder)
    await layer.rename(folder, layout.upload(manifest.id))
  } catch (error) {
    await removeUploadFiles(disk, folder).catch(() => {})
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
    if ((await readManifest(disk, manifest.id)) !== null) return false
    // What a power cut left of a creation is no upload, and must not keep a repeated creation from its id.
    await forgetUpload(disk, manifest.id)
    return await createUploadFolder(disk, manifest)
  }
  if (sync) await disk.syncFolder(layout.uploads)
  return true
}
