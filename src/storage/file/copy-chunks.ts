import { chunkLength, chunkStart } from '../../grid.ts'
import type { ChunkEntry } from '../../ledger.ts'
import { gridOf, type StoredUpload } from '../../upload.ts'
import type { ChunkCopy } from '../storage.ts'
import type { UploadFolder } from './upload-folder.ts'

/**
 * Makes chunks of the part that the file begins with, where the file system lets two files share their blocks: no byte is
 * moved. What is not among the entries would have to be: it has another place in the part, or the part is cut into other
 * chunks, so that nobody knows its digest.
 */
export async function copyChunks(
  folder: UploadFolder,
  upload: StoredUpload,
  copies: readonly ChunkCopy[],
): Promise<ChunkEntry[]> {
  const { disk, id } = folder
  const [first] = copies
  const part = first?.source.upload.manifest.id
  const entries = copies
    .filter(({ source }) => source.upload.manifest.id === part)
    .flatMap((copy) => entryOf(upload, copy))
  if (part === undefined || entries.length === 0) return []
  folder.shared ??= shareBlocks(folder, part)
  if ((await folder.shared) !== part) return []
  const sync = disk.syncs('chunk')
  if (sync) {
    await disk.withFile(disk.layout.data(id), 'r+', (handle) => folder.sync(handle))
    await folder.root()
  }
  await Promise.all(entries.map((entry) => folder.journal.append({ type: 'chunk', entry }, sync)))
  for (const { number } of entries) folder.places.recorded(number)
  return entries
}

/** The entry of a chunk that is the same in the part, as it is known there. */
function entryOf(upload: StoredUpload, { number, source, at }: ChunkCopy): ChunkEntry[] {
  const size = chunkLength(gridOf(upload), number)
  const isAtItsPlace = source.start === chunkStart(gridOf(upload), number) && source.end - source.start === size
  const isSameGrid = source.upload.manifest.chunkSize === upload.manifest.chunkSize
  const durable = source.upload.ledger.chunks.get(number)
  if (!isAtItsPlace || !isSameGrid || durable?.size !== size) return []
  return [{ number, size, sha256: durable.sha256, at }]
}

/**
 * Makes the data file one that shares the blocks of a part, unless there is one already. It gets its name when it is whole:
 * killed before, what there is of it is no data file, and is taken away by the next attempt, or with the upload. Returns the
 * part's id, or null.
 */
async function shareBlocks({ disk, id }: UploadFolder, part: string): Promise<string | null> {
  const { layer, layout } = disk
  const shared = layout.shared(id)
  try {
    await disk.remove(shared)
    await layer.clone(layout.data(part), shared)
    await layer.link(shared, layout.data(id))
    return part
  } catch {
    // Whatever is wrong, if anything is, is told by whoever reads the bytes and writes them.
    return null
  } finally {
    await disk.remove(shared).catch(() => {})
  }
}
