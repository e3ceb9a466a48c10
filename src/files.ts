import type { Deliveries, Receiver } from './deliveries.ts'
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
  /** Where the storage has it: the key of its object, or its name in the folder of finished files. */
  readonly key?: string
  /** Its address on the CDN, where there is one: see `cdnUrl`. */
  readonly url?: string
}

/** A file of which somebody is still to be told. */
export interface OwedFile {
  readonly file: FileRecord
  readonly receivers: readonly Receiver[]
}

/** Where the records of finished files are kept: beside the bytes unless an application brings its own table. */
export interface FileRepository {
  /**
   * Writes or replaces a record, durably. `owed`: who is to be told of the file, in the same step; of a record that stands
   * already it changes nothing.
   */
  put(file: FileRecord, owed?: readonly Receiver[]): Promise<void>
  /** The record, or null. */
  get(fileId: string): Promise<FileRecord | null>
  /** Whether `get` would answer from memory, without asking anybody. @default it never does */
  remembers?(fileId: string): boolean
  /**
   * A file of which somebody is still to be told, and who; null where nobody is, or there is no file any more. `recent`:
   * what was so a moment ago will do.
   */
  owed(fileId: string, options?: { readonly recent?: boolean }): Promise<OwedFile | null>
  /** Records how telling went; nothing happens where there is no file any more. */
  settle(fileId: string, outcomes: Deliveries): Promise<void>
  /** Removes the record; nothing happens where there is none. */
  remove(fileId: string): Promise<void>
}
