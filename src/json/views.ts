import type { FileRecord } from '../files.ts'
import { chunkCount } from '../grid.ts'
import type { ChunkEntry } from '../ledger.ts'
import { formatDuration, type Progress } from '../progress.ts'
import { gridOf, type Upload } from '../upload.ts'
import type { CreatedUpload, OpenPage } from '../uploads.ts'
import type { Chunk, Completed, Created, File, Progress as ProgressData, Resumed, UploadList } from './schemas.ts'

/** `data` of an initiate. */
export function createdView(upload: CreatedUpload, tusUrl: string) {
  const { manifest, uploadToken } = upload
  return {
    id: manifest.id,
    fileId: manifest.fileId,
    fileName: manifest.fileName,
    fileSize: known(upload.size),
    chunkSize: manifest.chunkSize,
    totalChunks: known(chunkCount(gridOf(upload))),
    status: upload.status,
    expiresAt: isoTime(upload.expiresAt),
    tusUrl,
    ...(uploadToken === null ? {} : { uploadToken }),
  } satisfies Created
}

/** `data` of a stored chunk. */
export function chunkView(entry: ChunkEntry, upload: Upload) {
  return {
    chunkNumber: entry.number,
    size: entry.size,
    checksum: entry.sha256,
    // A label that the contract wants: nothing is fetched there.
    storageKey: `uploads/${upload.manifest.fileId}/chunks/${entry.number}`,
    uploadedAt: isoTime(entry.at),
    expiresAt: isoTime(upload.expiresAt),
  } satisfies Chunk
}

/** `data` of a progress. */
export function progressView(progress: Progress) {
  const { manifest, expiresAt } = progress.upload
  return {
    sessionId: manifest.id,
    fileId: manifest.fileId,
    fileName: manifest.fileName,
    totalSize: progress.totalSize,
    uploadedBytes: progress.uploadedBytes,
    percentComplete: progress.percentComplete,
    chunksUploaded: progress.chunksUploaded,
    totalChunks: progress.totalChunks,
    status: progress.status,
    estimatedTimeRemaining: progress.secondsRemaining === null ? null : formatDuration(progress.secondsRemaining),
    bytesPerSecond: progress.bytesPerSecond,
    missingChunks: progress.missingChunks,
    chunkSize: manifest.chunkSize,
    expiresAt: isoTime(expiresAt),
  } satisfies ProgressData
}

/** `data` of a list. */
export function listView({ items, nextCursor }: OpenPage) {
  return { items: items.map(progressView), nextCursor } satisfies UploadList
}

/** `data` of a complete. `computes`: whether a checksum that is not known is being computed. */
export function completedView(file: FileRecord, computes: boolean) {
  const { checksum, storageChecksum, url } = file
  return {
    id: file.id,
    name: file.name,
    size: file.size,
    contentType: file.contentType,
    status: 'uploaded' as const,
    uploadedAt: isoTime(file.uploadedAt),
    checksum,
    checksumType: 'FULL_OBJECT' as const,
    ...(checksum === null && computes ? { checksumStatus: 'computing' as const } : {}),
    ...(storageChecksum === undefined ? {} : { storageChecksum }),
    ...(url === undefined ? {} : { url }),
  } satisfies Completed
}

/** `data` of a finished file. */
export function fileView(file: FileRecord, computes: boolean) {
  return { ...completedView(file, computes), metadata: file.metadata } satisfies File
}

/** `data` of a resume. */
export function resumedView(progress: Progress) {
  const { manifest, expiresAt } = progress.upload
  return {
    id: manifest.id,
    status: 'active' as const,
    uploadedBytes: progress.uploadedBytes,
    nextChunkNumber: nextChunkNumber(progress),
    missingChunks: progress.missingChunks,
    chunkSize: manifest.chunkSize,
    totalChunks: progress.totalChunks,
    expiresAt: isoTime(expiresAt),
  } satisfies Resumed
}

/** The first chunk missing, or null. While the length is deferred nothing is known to be missing, but the next one is. */
function nextChunkNumber({ missingChunks, totalChunks, upload }: Progress): number | null {
  return totalChunks === null ? upload.ledger.run : (missingChunks[0]?.[0] ?? null)
}

/** What is known of every upload that this face makes: it does not defer a length. */
function known(value: number | null): number {
  if (value === null) throw new TypeError('An upload of the JSON face has no length.')
  return value
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
