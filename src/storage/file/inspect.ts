import { resolve } from 'node:path'
import type { FileRecord } from '../../files.ts'
import { chunkCount } from '../../grid.ts'
import type { ChunkEntry, ChunkRange, Tail } from '../../ledger.ts'
import { gridOf, type Manifest, type StoredUpload, type UploadStatus } from '../../upload.ts'
import { Disk } from './disk.ts'
import { nodeFiles, unlessMissing } from './file-layer.ts'
import { FileRecords } from './file-records.ts'
import { decodeJournal } from './journal-format.ts'
import { isId, Layout } from './layout.ts'
import { replay } from './load.ts'
import { readBootId } from './machine.ts'
import { readManifest } from './manifest.ts'
import { readOwnerFacts, type OwnerFacts } from './owner-facts.ts'

/** A file of an upload. */
export interface FileOnDisk {
  readonly path: string
  readonly bytes: number
}

/** The journal of an upload. */
export interface JournalOnDisk extends FileOnDisk {
  /** Lines that are whole, the header included. */
  readonly lines: number
  /** Bytes behind them: an append that a kill cut off, or that is just being written. They count for nothing. */
  readonly tornBytes: number
  /**
   * Whether the bytes are trusted as they are: written since the machine's last boot. Otherwise the server looks at them
   * again before it counts them.
   */
  readonly trusted: boolean
}

/** Everything a directory holds of an upload. Plain data; sizes are bytes, times ms since the epoch. */
export interface Inspection {
  readonly id: string
  readonly status: UploadStatus
  readonly manifest: Manifest
  /** Null while a deferred length is not known. */
  readonly size: number | null
  readonly endedAt: number | null
  /** SHA-256 (hex) of the whole file, once known. */
  readonly digest: string | null
  /** Null while the length is not known. */
  readonly totalChunks: number | null
  readonly durableBytes: number
  /** What tus clients are told as `Upload-Offset`. */
  readonly offset: number
  /** The durable chunks, by number. */
  readonly chunks: readonly ChunkEntry[]
  /** Their numbers, as inclusive ranges. */
  readonly ranges: readonly ChunkRange[]
  readonly tail: Tail | null
  /** Empty while the length is not known. */
  readonly missing: readonly ChunkRange[]
  readonly directory: string
  readonly journal: JournalOnDisk | null
  /** The bytes until they are whole. With gaps it is as long as its last byte is far. */
  readonly data: FileOnDisk | null
  /** The finished file. */
  readonly file: FileOnDisk | null
  readonly record: FileRecord | null
  /** The process that owns the directory. */
  readonly owner: OwnerFacts | null
}

/**
 * Reads what a directory holds of an upload, without owning it and without writing: a server may run on it. `id` is the
 * upload's, or that of the file it became. Null where there is neither.
 *
 * What a running server is about to write may show as torn; ask again.
 *
 * @throws Error in one line, for the operator, when what stands there cannot be read
 */
export async function inspectUpload(directory: string, id: string): Promise<Inspection | null> {
  if (!isId(id)) return null
  const layout = new Layout(resolve(directory))
  const disk = new Disk(nodeFiles, layout, 'off', await readBootId(nodeFiles))
  const uploadId = await uploadOf(disk, id)
  if (uploadId === null) return null
  const manifest = await readManifest(disk, uploadId)
  if (manifest === null) {
    throw new Error(
      `${layout.manifest(uploadId)} holds no manifest that can be read: a power cut came before it was durable`,
    )
  }
  const content = await disk.read(layout.journal(uploadId))
  const { header, changes, end } = decodeJournal(content ?? Buffer.alloc(0))
  const upload = replay(manifest, changes)
  return {
    ...factsOf(upload),
    directory: layout.directory,
    journal: content && {
      path: layout.journal(uploadId),
      bytes: content.length,
      lines: changes.length + (header === null ? 0 : 1),
      tornBytes: content.length - end,
      trusted: content.length === 0 || header?.boot === disk.boot,
    },
    data: await onDisk(disk, layout.data(uploadId)),
    file: await onDisk(disk, layout.file(manifest.fileId)),
    record: await new FileRecords(() => disk).get(manifest.fileId),
    owner: await readOwnerFacts(disk),
  }
}

/** The upload that is meant, if there is one. */
async function uploadOf(disk: Disk, id: string): Promise<string | null> {
  if ((await unlessMissing(disk.layer.stat(disk.layout.upload(id)))) !== null) return id
  return (await new FileRecords(() => disk).get(id))?.uploadId ?? null
}

function factsOf(upload: StoredUpload) {
  const { manifest, size, status, endedAt, digest, ledger } = upload
  const grid = gridOf(upload)
  const chunks = [...ledger.chunks.values()].toSorted((one, other) => one.number - other.number)
  return {
    id: manifest.id,
    status,
    manifest,
    size,
    endedAt,
    digest,
    totalChunks: chunkCount(grid),
    durableBytes: ledger.durableBytes,
    offset: ledger.offset(grid),
    chunks,
    ranges: rangesOf(chunks),
    tail: ledger.tail,
    missing: ledger.missing(grid),
  }
}

function rangesOf(chunks: readonly ChunkEntry[]): ChunkRange[] {
  const ranges: ChunkRange[] = []
  for (const { number } of chunks) {
    const [first, last] = ranges.at(-1) ?? []
    if (first !== undefined && last === number - 1) ranges[ranges.length - 1] = [first, number]
    else ranges.push([number, number])
  }
  return ranges
}

async function onDisk(disk: Disk, path: string): Promise<FileOnDisk | null> {
  const bytes = await disk.sizeOf(path)
  return bytes === null ? null : { path, bytes }
}
