import { relative } from 'node:path'
import type { Leftover } from '../storage.ts'
import type { Disk } from './disk.ts'
import { unlessMissing } from './file-layer.ts'
import { forgetUpload, removeUploadFiles } from './forget.ts'
import { isId, PASSING_FOLDER, TEMPORARY_FILE } from './layout.ts'
import { readManifest } from './manifest.ts'
import type { UploadFolders } from './upload-folder.ts'

/** Leftovers are older than this before they are swept, ms: younger ones may be somebody's work. */
const LEFTOVER_AGE_MS = 60_000

/** What crashes left behind, by names of our own shape only. */
export async function* findLeftovers(disk: Disk, folders: UploadFolders): AsyncIterable<Leftover> {
  const { layer, layout } = disk
  const nameOf = (path: string): string => relative(layout.directory, path)
  for (const name of await layer.readdir(layout.uploads)) {
    const path = layout.upload(name)
    if (PASSING_FOLDER.test(name)) {
      if (!(await isLeftover(disk, path))) continue
      yield { kind: 'folder', name: nameOf(path), remove: () => removeUploadFiles(disk, path) }
    } else if (isId(name) && (await isNoUpload(disk, name))) {
      yield { kind: 'folder', name: nameOf(path), remove: () => removeNoUpload(disk, folders, name) }
    }
  }
  for (const folder of [layout.directory, layout.files, layout.claims]) {
    for (const name of await layer.readdir(folder)) {
      const path = `${folder}/${name}`
      if (!TEMPORARY_FILE.test(name) || !(await isLeftover(disk, path))) continue
      yield { kind: 'file', name: nameOf(path), remove: () => disk.remove(path) }
    }
  }
}

/** Looked at again where it cannot meet a creation. */
async function removeNoUpload(disk: Disk, folders: UploadFolders, id: string): Promise<void> {
  await folders.use(id, (folder) =>
    folder.exclusive(async () => {
      if (await isNoUpload(disk, id)) await forgetUpload(disk, id)
    }),
  )
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
