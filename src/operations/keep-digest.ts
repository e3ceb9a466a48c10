import type { DigestFeed } from '../checksum/digest-feed.ts'
import { isPartial } from '../concatenation.ts'
import { MIB } from '../grid.ts'
import { digestOf, gridOf, isGone, type Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { commit, load } from './records.ts'

/** Whether the bytes of a file are read back for its digest. */
export function wantsDigest({ options }: Context, upload: Upload): boolean {
  // A part is never given out.
  if (isPartial(upload)) return false
  return digestOf(upload) === null && (options.fileChecksum === 'full' || upload.manifest.checksum !== null)
}

/** Chunks of so many bytes are sooner read back from a file by the thread that hashes than copied for it. */
const READ_BACK_BYTES = MIB

/**
 * Has what comes from `offset` on hashed for the digest of the file, unless none is wanted but that of its only chunk, or it
 * is read back more cheaply.
 */
export function feedDigest(context: Context, upload: Upload, offset: number): DigestFeed | null {
  const { chunkSize } = upload.manifest
  const isOneChunk = upload.size !== null && upload.size <= chunkSize
  if (isOneChunk || !wantsDigest(context, upload)) return null
  const isReadBack = chunkSize >= READ_BACK_BYTES && (context.storage.paths?.(upload).length ?? 0) > 0
  return isReadBack ? null : context.digests.feed(upload, offset)
}

/** The digest of an upload, where nothing has to be read for it. */
export async function digestAtHand(context: Context, upload: Upload): Promise<string | null> {
  return digestOf(upload) ?? (wantsDigest(context, upload) ? await context.digests.ready(upload) : null)
}

/** Keeps the SHA-256 of a whole file: in storage, in state, and in the file's record where the file is finished already. */
export async function keepDigest(context: Context, id: string, sha256: string): Promise<void> {
  const upload = await load(context, id)
  // A chunk that turned out to be lost makes the digest one of other bytes.
  if (upload === null || isGone(upload) || !upload.ledger.isFull(gridOf(upload))) return
  await context.storage.record(id, { type: 'digest', sha256 })
  const committed = await commit(context, upload, [{ type: 'digest', sha256 }], null)
  if (committed.status === 'uploaded') await putChecksum(context, committed.manifest.fileId, sha256)
}

/** Puts the checksum into the record of a finished file. */
export async function putChecksum(context: Context, fileId: string, sha256: string): Promise<void> {
  const file = await context.storage.files.get(fileId)
  if (file !== null && file.checksum === null) await context.storage.files.put({ ...file, checksum: sha256 })
}
