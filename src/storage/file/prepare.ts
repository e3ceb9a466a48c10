import { randomBytes } from 'node:crypto'
import type { Disk } from './disk.ts'
import { hasCode } from './file-layer.ts'

/**
 * Makes the folders and tries what the storage depends on.
 *
 * @throws Error in one line, for the operator, when a finished file could not be moved by one rename.
 */
export async function prepareDirectory(disk: Disk): Promise<void> {
  const { layer, layout } = disk
  for (const folder of [layout.uploads, layout.files, layout.claims]) await layer.mkdir(folder, { recursive: true })
  if (disk.fsync !== 'off') await disk.syncFolder(layout.directory)
  const [uploads, files] = await Promise.all([layer.stat(layout.uploads), layer.stat(layout.files)])
  if (uploads.dev !== files.dev) throw new Error(apart(disk))
  await tryRename(disk)
}

/** Two mounts of one file system have the same device, and a rename between them fails all the same. */
async function tryRename(disk: Disk): Promise<void> {
  const { layer, layout } = disk
  const name = `.probe-${randomBytes(4).toString('hex')}.tmp`
  const from = `${layout.uploads}/${name}`
  const to = `${layout.files}/${name}`
  await disk.write(from, Buffer.alloc(0), false)
  try {
    await layer.rename(from, to)
  } catch (error) {
    throw hasCode(error, 'EXDEV') ? new Error(apart(disk)) : error
  } finally {
    await disk.remove(from)
    await disk.remove(to)
  }
}

function apart({ layout }: Disk): string {
  return `${layout.uploads} and ${layout.files} are on different file systems; mount one volume that holds both`
}
