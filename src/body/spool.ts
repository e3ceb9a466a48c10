import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { UploadError } from '../errors.ts'
import type { Hold } from '../storage/storage.ts'

/** Bytes read back at a time. */
const PIECE = 256 * 1024

/**
 * Bytes kept in a private file: readable by this user only, and without a name from the moment it is open, so that nothing
 * of it outlives the process.
 */
export class SpoolFile implements Hold {
  readonly #directory: string
  readonly #onDrop: () => void
  #file: Promise<FileHandle> | null = null
  #size = 0
  #dropped: Promise<void> | null = null

  /** `onDrop` is called once. */
  constructor(directory: string, onDrop: () => void) {
    this.#directory = directory
    this.#onDrop = onDrop
  }

  get size(): number {
    return this.#size
  }

  async append(buffers: readonly Buffer[]): Promise<void> {
    try {
      const file = await this.#open()
      for (const buffer of buffers) {
        let written = 0
        while (written < buffer.length) {
          const { bytesWritten } = await file.write(buffer, written, buffer.length - written, this.#size)
          written += bytesWritten
          this.#size += bytesWritten
        }
      }
    } catch (error) {
      throw unavailable(error)
    }
  }

  async *read(start = 0, end = this.#size): AsyncIterable<Buffer> {
    for (let position = start; position < end; ) {
      const piece = await this.#piece(position, Math.min(PIECE, end - position))
      position += piece.length
      yield piece
    }
  }

  drop(): Promise<void> {
    this.#dropped ??= this.#close()
    return this.#dropped
  }

  async #piece(position: number, bytes: number): Promise<Buffer> {
    try {
      const file = await this.#open()
      const piece = Buffer.allocUnsafe(bytes)
      const { bytesRead } = await file.read(piece, 0, piece.length, position)
      if (bytesRead > 0) return piece.subarray(0, bytesRead)
    } catch (error) {
      throw unavailable(error)
    }
    throw unavailable(new Error('A spool file is shorter than what was written to it.'))
  }

  #open(): Promise<FileHandle> {
    if (this.#dropped !== null) throw new Error('This spool file was dropped.')
    this.#file ??= openNameless(join(this.#directory, `holdfast-${randomUUID()}`))
    return this.#file
  }

  async #close(): Promise<void> {
    try {
      await (await this.#file)?.close()
    } catch {
      // It never opened, or holds nothing that anybody still wants.
    } finally {
      this.#onDrop()
    }
  }
}

async function openNameless(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    await unlink(path)
  } catch (error) {
    await file.close()
    throw error
  }
  return file
}

/** Trouble with the spool passes, for the client, like trouble with the storage behind it. */
function unavailable(cause: unknown): UploadError {
  return new UploadError('STORAGE_UNAVAILABLE', { cause })
}
