import { constants } from 'node:fs'
import { UploadError } from '../../errors.ts'
import type { FileLayer, LayerHandle } from './file-layer.ts'

/** One open file for everybody who writes it: opened by the first, closed by the last. */
export class SharedFile {
  readonly #layer: FileLayer
  readonly #path: string
  readonly #onDoubt: () => void
  #users = 0
  #shut = false
  #handle: Promise<LayerHandle> | null = null

  /** `onDoubt` is called when closing fails: what was written may not be there. */
  constructor(layer: FileLayer, path: string, onDoubt: () => void) {
    this.#layer = layer
    this.#path = path
    this.#onDoubt = onDoubt
  }

  /** The open file; it is created where there is none, never truncated. Each success is given back with one release. */
  async acquire(): Promise<LayerHandle> {
    if (this.#shut) throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error('The storage is closed.') })
    this.#handle ??= this.#layer.open(this.#path, constants.O_RDWR | constants.O_CREAT)
    const opening = this.#handle
    this.#users += 1
    try {
      return await opening
    } catch (error) {
      this.#users -= 1
      if (this.#handle === opening) this.#handle = null
      throw error
    }
  }

  /** Gives the file back. Never throws. */
  async release(): Promise<void> {
    this.#users -= 1
    if (this.#users === 0) await this.#close()
  }

  /** Closes the file also under those who hold it, after the writes under way, and for good. Never throws. */
  async shut(): Promise<void> {
    this.#shut = true
    await this.#close()
  }

  async #close(): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    try {
      await (await handle)?.close()
    } catch {
      this.#onDoubt()
    }
  }
}
