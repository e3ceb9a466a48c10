import { UploadError } from '../../errors.ts'
import { gridOf } from '../../upload.ts'
import { unlessMissing } from './file-layer.ts'
import { knownUpload } from './load.ts'
import { together } from './together.ts'
import type { UploadFolder } from './upload-folder.ts'

/**
 * Makes the bytes and their names durable before `completing` is recorded: from then on a power cut cannot make a chunk of this upload
 * go back. After a failed fsync the bytes are proven first.
 *
 * @throws UploadError `CHUNKS_MISSING` when some of them turn out not to be there.
 */
export async function syncBeforeCompleting(folder: UploadFolder): Promise<void> {
  const upload = await knownUpload(folder)
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND')
  // Also where nothing is in doubt: `completing` with a chunk missing would be to wait for ever.
  if (!upload.ledger.isFull(gridOf(upload))) {
    throw new UploadError('CHUNKS_MISSING', { details: { missing: upload.ledger.missing(gridOf(upload)) } })
  }
  if (folder.disk.fsync === 'off') return
  // No data file: a file of 0 bytes, or one that was assembled before.
  const path = folder.disk.layout.data(folder.id)
  const bytes = unlessMissing(folder.disk.withFile(path, 'r+', (handle) => folder.sync(handle)))
  // Together they are one step of the disk: neither needs the other, and `completing` needs both.
  await together([bytes, folder.root()])
}
