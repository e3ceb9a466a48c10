import { isUploadError } from '../../errors.ts'
import { Ledger } from '../../ledger.ts'
import { applyChange, gridOf, isOpen, newUpload, type Manifest, type StoredUpload } from '../../upload.ts'
import { unlessMissing } from './file-layer.ts'
import type { StoredChange } from './journal-format.ts'
import { readManifest } from './manifest.ts'
import { proveLedger } from './proof.ts'
import type { UploadFolder } from './upload-folder.ts'

/**
 * Everything the disk knows of an upload, or null.
 *
 * Where a power cut may have come between bytes and journal (another boot), or an fsync of the bytes has failed, only
 * chunks whose bytes are there are kept, and the journal is replaced by one that says so.
 */
export async function loadUpload(folder: UploadFolder): Promise<StoredUpload | null> {
  const manifest = await readManifest(folder.disk, folder.id)
  folder.manifest = manifest
  if (manifest === null) return null
  return await folder.journal.revise(async ({ header, changes }) => {
    const stored = replay(manifest, changes)
    // To be completing with a chunk missing would be to wait for ever, however it came to that.
    const stuck = stored.status === 'completing' && !stored.ledger.isFull(gridOf(stored))
    // One that was made and never written claims nothing; its first line writes it anew.
    const isBlank = header === null && changes.length === 0
    const trusted = (isBlank || header?.boot === folder.disk.boot) && !folder.doubtful && !stuck
    if (trusted || (await isBeyondDoubt(folder, stored))) return { result: stored }
    const renew = (folder.doubtful || header?.boot === '') && !folder.disk.readOnly
    const proven = await proveUpload(folder, stored, renew)
    return { result: proven, changes: changesOf(proven, changes) }
  })
}

/**
 * The same, of an upload that this process has just written: it alone writes there, and what it has written it need not
 * read. Whatever is in doubt, or long, is read.
 */
export async function knownUpload(folder: UploadFolder): Promise<StoredUpload | null> {
  const { manifest, disk, journal } = folder
  const { known } = journal
  if (manifest === null || known === null || known.header?.boot !== disk.boot || folder.doubtful) {
    return await loadUpload(folder)
  }
  const stored = replay(manifest, known.changes)
  const stuck = stored.status === 'completing' && !stored.ledger.isFull(gridOf(stored))
  return stuck ? await loadUpload(folder) : stored
}

/** An upload as its journal tells it. */
export function replay(manifest: Manifest, changes: readonly StoredChange[]): StoredUpload {
  let upload = newUpload(manifest)
  for (const change of changes) {
    try {
      upload = applyChange(upload, change)
    } catch (error) {
      // A line that contradicts those before it changes nothing: they were acknowledged first.
      if (!isUploadError(error)) throw error
    }
  }
  return upload
}

/** The lines that tell an upload which has not ended; a declared length stays as it was written. */
function changesOf(upload: StoredUpload, before: readonly StoredChange[]): StoredChange[] {
  const { ledger, digest } = upload
  // The one that took effect: another stood where it was refused, and must not come before what it contradicts.
  const changes = before.filter((change) => change.type === 'length' && change.size === upload.size).slice(0, 1)
  for (const entry of ledger.chunks.values()) changes.push({ type: 'chunk', entry })
  if (ledger.tail !== null) changes.push({ type: 'tail', tail: ledger.tail })
  if (upload.status === 'completing') changes.push({ type: 'completing' })
  if (digest !== null) changes.push({ type: 'digest', sha256: digest })
  return changes
}

/** Ended uploads need no bytes; a file stands under its final name only after its bytes were synced. */
async function isBeyondDoubt(folder: UploadFolder, upload: StoredUpload): Promise<boolean> {
  if (isOpen(upload)) return false
  if (upload.status !== 'completing') return true
  return (await folder.disk.sizeOf(folder.disk.layout.file(upload.manifest.fileId))) === upload.size
}

async function proveUpload(folder: UploadFolder, upload: StoredUpload, renew: boolean): Promise<StoredUpload> {
  const { disk, id } = folder
  const grid = gridOf(upload)
  const path = disk.layout.data(id)
  // Taken back first: an fsync that fails meanwhile brings the doubt back, and is not to be overlooked.
  const doubtful = folder.doubtful
  folder.doubtful = false
  const ledger = await unlessMissing(
    disk.withFile(path, renew ? 'r+' : 'r', async (handle) => {
      const proven = await proveLedger(handle, grid, upload.ledger, renew)
      if (renew && disk.fsync !== 'off') await handle.datasync()
      return proven
    }),
  ).catch((error: unknown) => {
    folder.doubtful ||= doubtful
    throw error
  })
  const kept = ledger ?? new Ledger()
  folder.places.keep(kept)
  if (upload.status === 'completing' && kept.isFull(grid)) return { ...upload, ledger: kept }
  // What lost a chunk takes bytes again: to be completing without it would be to wait for ever.
  const begun = kept.durableBytes > 0 ? 'uploading' : 'initiated'
  return { ...upload, ledger: kept, status: begun, digest: null }
}
