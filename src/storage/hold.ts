import type { Hold } from './storage.ts'

/** Buffers below this are gathered: thousands of tiny ones take many times the memory of their bytes. */
const SMALL_BYTES = 4096
const BLOCK_BYTES = 64 * 1024

/** Holds the bytes of a chunk in memory, as the buffers that brought them. */
export class MemoryHold implements Hold {
  readonly #buffers: Buffer[] = []
  #block: Buffer | null = null
  #inBlock = 0
  #size = 0
  #dropped = false

  get size(): number {
    return this.#size
  }

  async append(buffers: readonly Buffer[]): Promise<void> {
    if (this.#dropped) throw new Error('This hold was dropped.')
    for (const buffer of buffers) {
      this.#size += buffer.length
      if (buffer.length >= SMALL_BYTES) {
        this.#closeBlock()
        this.#buffers.push(buffer)
      } else if (buffer.length > 0) this.#gather(buffer)
    }
  }

  async *read(): AsyncIterable<Buffer> {
    this.#closeBlock()
    for (const buffer of this.#buffers) {
      if (this.#dropped) throw new Error('This hold was dropped.')
      yield buffer
    }
  }

  async drop(): Promise<void> {
    this.#dropped = true
    this.#buffers.length = 0
    this.#block = null
    this.#inBlock = 0
    this.#size = 0
  }

  #gather(buffer: Buffer): void {
    if (this.#block !== null && this.#inBlock + buffer.length > this.#block.length) this.#closeBlock()
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES)
    this.#inBlock += buffer.copy(this.#block, this.#inBlock)
  }

  #closeBlock(): void {
    if (this.#block !== null) this.#buffers.push(this.#block.subarray(0, this.#inBlock))
    this.#block = null
    this.#inBlock = 0
  }
}
