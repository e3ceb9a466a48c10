import type { Manifest } from '../../upload.ts'
import { closeQuietly, hasCode, type LayerHandle, writeAll } from './file-layer.ts'
import { forgetUpload, removeUploadFiles } from './forget.ts'
import { encodeJournal } from './journal-format.ts'
import { toJson } from './json.ts'
import { readManifest } from './manifest.ts'
import type { UploadFolder } from './upload-folder.ts'

/** Windows renames no folder with an open file in it. */
const MOVES_OPEN_FILES = process.platform !== 'win32'

/**
 * Writes an upload's folder. Returns false where the id exists.
 *
 * The folder is made under another name and gets its own by one rename, so a crash leaves it whole or not at all; what a
 * crash leaves under the other name is swept. Creations are synced with `chunk` only: otherwise a power cut may take an
 * upload of the last seconds with its bytes, which were not synced either, and the client begins anew.
 */
export async function createUploadFolder(folder: UploadFolder, manifest: Manifest): Promise<boolean> {
  const { disk } = folder
  const { layer, layout } = disk
  const sync = disk.syncs('chunk')
  const passing = layout.passing('new', manifest.id)
  const header = { v: 1, id: manifest.id, boot: disk.boot } as const
  await layer.mkdir(passing, { recursive: false })
  let journal: LayerHandle | null = null
  try {
    await disk.write(`${passing}/manifest.json`, toJson(manifest), sync)
    // It stays open: the lines of a small file come at once.
    journal = await layer.open(`${passing}/journal`, 'w')
    await writeAll(journal, [encodeJournal(header, [])], 0)
    if (sync) await journal.sync()
    if (!MOVES_OPEN_FILES) {
      await closeQuietly(journal)
      journal = null
    }
    if (sync) await disk.syncFolder(passing)
    await layer.rename(passing, layout.upload(manifest.id))
  } catch (error) {
    if (journal !== null) await closeQuietly(journal)
    await removeUploadFiles(disk, passing).catch(() => {})
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
    if ((await readManifest(disk, manifest.id)) !== null) return false
    // What a power cut left of a creation is no upload, and must not keep a repeated creation from its id.
    await forgetUpload(disk, manifest.id)
    return await createUploadFolder(folder, manifest)
  }
  folder.manifest = manifest
  folder.fileless = true
  folder.journal.begun(header, journal)
  if (sync) await disk.syncFolder(layout.uploads)
  return true
}
