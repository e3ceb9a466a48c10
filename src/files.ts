import type { Json } from './upload.ts'

/** A finished file. */
export interface FileRecord {
  /** The file's id. */
  readonly id: string
  /** The upload that made it. */
  readonly uploadId: string
  readonly owner: string | null
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly contentType: string
  readonly metadata: { readonly [key: string]: Json }
  /** ms since the epoch. */
  readonly uploadedAt: number
  /** SHA-256 of the whole file in hex, or null while it is still being computed. */
  readonly checksum: string | null
  /** A checksum of the storage's own, where there is one. */
  readonly storageChecksum?: string
}

/** Where the records of finished files are kept: beside the bytes unless an application brings its own table. */
export interface FileRepository {
  /** Writes or replaces a record, durably. */
  put(file: FileRecord): Promise<void>
  /** The record, or null. */
  get(fileId: string): Promise<FileRecord | null>
  /** Removes the record; nothing happens where there is none. */
  remove(fileId: string): Promise<void>
}
