import type { Hold } from './storage.ts'

/** Buffers below this are gathered: each costs memory beside its bytes. */
const SMALL = 4 * 1024
/** Bytes of what small buffers are gathered into. */
const BLOCK = 64 * 1024

/** Bytes kept in memory, as the buffers in which they came; those of a sender that trickles are gathered. */
export class MemoryHold implements Hold {
  readonly #onDrop: () => void
  #buffers: Buffer[] = []
  #block: Buffer | null = null
  /** Bytes used of the block, which is the last of the buffers. */
  #used = 0
  #size = 0
  #dropped = false

  /** `onDrop` is called once. */
  constructor(onDrop: () => void = () => {}) {
    this.#onDrop = onDrop
  }

  get size(): number {
    return this.#size
  }

  async append(buffers: readonly Buffer[]): Promise<void> {
    if (this.#dropped) throw new Error('This hold was dropped.')
    for (const buffer of buffers) {
      this.#size += buffer.length
      if (buffer.length < SMALL) this.#gather(buffer)
      else this.#keep(buffer)
    }
  }

  async *read(start = 0, end = this.#size): AsyncIterable<Buffer> {
    if (this.#dropped) throw new Error('This hold was dropped.')
    let position = 0
    for (const buffer of this.#buffers) {
      if (position >= end) break
      const [from, to] = [Math.max(0, start - position), Math.min(buffer.length, end - position)]
      if (from < to) yield to - from === buffer.length ? buffer : buffer.subarray(from, to)
      position += buffer.length
    }
  }

  async drop(): Promise<void> {
    if (this.#dropped) return
    this.#dropped = true
    this.#size = 0
    this.#buffers = []
    this.#block = null
    this.#onDrop()
  }

  #keep(buffer: Buffer): void {
    this.#block = null
    this.#buffers.push(buffer)
  }

  #gather(buffer: Buffer): void {
    if (this.#block === null || this.#used + buffer.length > BLOCK) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK)
      this.#used = 0
      this.#buffers.push(this.#block)
    }
    buffer.copy(this.#block, this.#used)
    this.#used += buffer.length
    this.#buffers[this.#buffers.length - 1] = this.#block.subarray(0, this.#used)
  }
}
