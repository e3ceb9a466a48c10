/** Bytes on their way to the thread: beyond them whoever gives them is told that there is no room. */
const RING_BYTES = 8 * 1024 * 1024

/** A stretch of a {@link HashRing}; it may go on at the ring's beginning. */
export interface Stretch {
  /** Bytes from the ring's beginning. */
  readonly at: number
  readonly length: number
}

/**
 * Memory that is shared with a thread, for bytes that their owner goes on using: a copy of what was just received costs little,
 * a page of new memory for it more. It is given back in the order in which it was taken.
 */
export class HashRing {
  /** What the thread is given. */
  readonly shared = {
    bytes: new SharedArrayBuffer(RING_BYTES),
    /** How many bytes the thread is through with, modulo 2^32. */
    done: new SharedArrayBuffer(4),
  }
  readonly #bytes = new Uint8Array(this.shared.bytes)
  readonly #done = new Int32Array(this.shared.done)
  #written = 0

  /** Copies buffers in. Null, and nothing is taken, where there is no room for all of them. */
  take(buffers: readonly Buffer[]): Stretch | null {
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    const used = (this.#written - Atomics.load(this.#done, 0)) >>> 0
    if (used + length > RING_BYTES) return null
    const at = this.#written % RING_BYTES
    for (const buffer of buffers) this.#put(buffer)
    return { at, length }
  }

  #put(buffer: Buffer): void {
    const at = this.#written % RING_BYTES
    const first = Math.min(buffer.length, RING_BYTES - at)
    this.#bytes.set(first === buffer.length ? buffer : buffer.subarray(0, first), at)
    if (first < buffer.length) this.#bytes.set(buffer.subarray(first), 0)
    this.#written = (this.#written + buffer.length) >>> 0
  }
}
