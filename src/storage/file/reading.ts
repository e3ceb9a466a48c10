import { Readable } from 'node:stream'
import { isPartial } from '../../concatenation.ts'
import { UploadError } from '../../errors.ts'
import { MIB } from '../../grid.ts'
import type { StoredUpload } from '../../upload.ts'
import type { Disk } from './disk.ts'
import type { Layout } from './layout.ts'
import { closeQuietly, type LayerHandle, unlessMissing } from './file-layer.ts'
import { storageError } from './storage-error.ts'

/** Bytes that a reader of a finished file asks for at a time: a slow client holds one such piece, and thousands as many. */
const PIECE_BYTES = 128 * 1024

/**
 * Bytes `[start, end)` of an upload, in pieces of at most 1 MiB. The file keeps its bytes when it is renamed while it is
 * read.
 */
export async function* readUpload(disk: Disk, upload: StoredUpload, start: number, end: number): AsyncIterable<Buffer> {
  let handle: LayerHandle | null = null
  try {
    handle = await openBytes(disk, upload)
    let position = start
    while (position < end) {
      const bytes = await readPiece(handle, position, Math.min(MIB, end - position))
      position += bytes.length
      yield bytes
    }
  } catch (error) {
    throw storageError(error)
  } finally {
    if (handle !== null) await closeQuietly(handle)
  }
}

/** Where the bytes may stand now: they move once, from the one place to the other; those of a part never. */
export function bytesPaths(layout: Layout, upload: StoredUpload): readonly [string, ...string[]] {
  const [data, file] = [layout.data(upload.manifest.id), layout.file(upload.manifest.fileId)]
  if (isPartial(upload)) return [data]
  return upload.status === 'uploaded' ? [file] : [data, file]
}

async function openBytes({ layer, layout }: Disk, upload: StoredUpload): Promise<LayerHandle> {
  const [first, second] = bytesPaths(layout, upload)
  if (second === undefined) return await layer.open(first, 'r')
  return (await unlessMissing(layer.open(first, 'r'))) ?? (await layer.open(second, 'r'))
}

async function readPiece(handle: LayerHandle, position: number, size: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(size)
  const { bytesRead } = await handle.read(buffer, 0, size, position)
  if (bytesRead > 0) return buffer.subarray(0, bytesRead)
  throw new UploadError('INTERNAL', { cause: new Error(`There are no bytes at ${position}.`) })
}

/** A stream of bytes `[start, end)` of a file. It owns the handle from the moment it is made. */
export class FileRange extends Readable {
  readonly #handle: LayerHandle
  #position: number
  readonly #end: number
  #reading: Promise<void> = Promise.resolve()

  constructor(handle: LayerHandle, start: number, end: number) {
    // Nothing is read ahead: the next piece is asked for when the one before has been taken.
    super({ highWaterMark: 0 })
    this.#handle = handle
    this.#position = start
    this.#end = end
  }

  override _read(): void {
    this.#reading = this.#readNext()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    void this.#close().finally(() => callback(error))
  }

  /** Waits for the read under way: the system could give the descriptor's number to another file. */
  async #close(): Promise<void> {
    await this.#reading
    await closeQuietly(this.#handle)
  }

  async #readNext(): Promise<void> {
    try {
      const size = Math.min(PIECE_BYTES, this.#end - this.#position)
      if (size <= 0) {
        this.push(null)
        return
      }
      const bytes = await readPiece(this.#handle, this.#position, size)
      this.#position += bytes.length
      this.push(bytes)
    } catch (error) {
      this.destroy(storageError(error))
    }
  }
}
