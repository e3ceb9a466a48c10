import { setImmediate as turn } from 'node:timers/promises'
import type { Hold } from '../storage/storage.ts'
import type { BodyEnd } from './body-reader.ts'
import type { BodySource, ByteSource, LiveBody } from './bodies.ts'

/** Bytes after which others have their turn: what is in memory is read without ever waiting. */
const TURN = 1024 * 1024

/** A body that has been received whole, and is held apart. */
export class HeldBody implements BodySource {
  readonly reader: HeldReader
  readonly #held: Hold
  readonly #live: LiveBody
  readonly #lost = new AbortController()

  /** `live` is the body as it came, and is at its end. */
  constructor(held: Hold, live: LiveBody) {
    this.reader = new HeldReader(held)
    this.#held = held
    this.#live = live
  }

  /** Nobody is waited for any more: that the client goes, or the server shuts down, keeps none of it from being stored. */
  get gone(): AbortSignal {
    return this.#lost.signal
  }

  share(): number {
    return this.#live.share()
  }

  draining(): boolean {
    return this.#live.draining()
  }

  /** The very bytes that are held: they take no other room. */
  async hold(_bytes: number, from: number): Promise<Hold> {
    return new HeldStretch(this.#held, from)
  }

  /** Whoever asks waits: all of it is here, and storing it is sooner done than having it sent again. */
  letGo(): void {}

  stop(): void {
    this.reader.stop()
    this.#lost.abort()
  }
}

/** Reads what is held, as a body is read. */
export class HeldReader implements ByteSource {
  readonly #buffers: AsyncIterator<Buffer>
  #rest: Buffer | null = null
  #end: BodyEnd | null = null
  #sinceTurn = 0

  constructor(held: Hold) {
    this.#buffers = held.read()[Symbol.asyncIterator]()
  }

  get end(): BodyEnd | null {
    return this.#end
  }

  async next(limit: number): Promise<Buffer[] | null> {
    if (this.#end !== null) return null
    const buffer = this.#rest ?? (await this.#pull())
    if (buffer === null) return null
    this.#rest = buffer.length > limit ? buffer.subarray(limit) : null
    return [buffer.length > limit ? buffer.subarray(0, limit) : buffer]
  }

  /** Gives nothing more out. */
  stop(): void {
    this.#end ??= 'stopped'
  }

  async #pull(): Promise<Buffer | null> {
    if (this.#sinceTurn >= TURN) {
      this.#sinceTurn = 0
      await turn()
    }
    const { done, value } = await this.#buffers.next()
    if (done === true) this.#end ??= 'complete'
    if (this.#end !== null || done === true) return null
    this.#sinceTurn += value.length
    return value
  }
}

/** A stretch of what is held, as a chunk's own hold: its bytes are given to it in order, and are there already. */
class HeldStretch implements Hold {
  readonly #held: Hold
  readonly #from: number
  #size = 0

  constructor(held: Hold, from: number) {
    this.#held = held
    this.#from = from
  }

  get size(): number {
    return this.#size
  }

  async append(buffers: readonly Buffer[]): Promise<void> {
    for (const { length } of buffers) this.#size += length
  }

  read(start = 0, end = this.#size): AsyncIterable<Buffer> {
    return this.#held.read(this.#from + start, this.#from + end)
  }

  /** What is held is another's to drop. */
  async drop(): Promise<void> {}
}
