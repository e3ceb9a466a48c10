import type { Readable } from 'node:stream'

/** How a body came to its end. */
export type BodyEnd =
  /** All of it was received. */
  | 'complete'
  /** The client went away. */
  | 'cut'
  /** No byte came for the idle timeout. */
  | 'stalled'
  /** This side ended it: another request wants the upload, or the server shuts down. */
  | 'stopped'

/**
 * Bytes handed out in one turn of the event loop. They are hashed there and then: with many more the writes under way would
 * end meanwhile, and none would follow them.
 */
const TURN_BYTES = 512 * 1024

/** How fast a body comes. */
export interface Pace {
  /** Bytes received so far. */
  readonly bytes: number
  /** How long they were waited for, ms. */
  readonly waitedMs: number
}

/**
 * Reads a request body as the buffers it arrives in, without copying or joining them. What was received before the end,
 * whatever the end, is handed out before it.
 */
export class BodyReader {
  readonly #stream: Readable
  readonly #idleTimeoutMs: number
  readonly #readAhead: () => number
  #queue: Buffer[] = []
  #queued = 0
  #received = 0
  /** Bytes handed out since the event loop had its turn. */
  #inTurn = 0
  #end: BodyEnd | null = null
  #wake: (() => void) | null = null
  #timer: NodeJS.Timeout | null = null
  #attached = false
  #waitedMs = 0
  /** Since when it waits (on `performance.now`), or null. */
  #waitsSince: number | null = null

  /** `readAhead`: bytes taken from the socket ahead of their being asked for; beyond it TCP holds the sender back. */
  constructor(stream: Readable, idleTimeoutMs: number, readAhead: () => number) {
    this.#stream = stream
    this.#idleTimeoutMs = idleTimeoutMs
    this.#readAhead = readAhead
  }

  /** Bytes received so far. */
  get received(): number {
    return this.#received
  }

  /** How the body ended, or null while bytes may still come. What is queued is not counted: read until null first. */
  get end(): BodyEnd | null {
    return this.#queued === 0 ? this.#end : null
  }

  /**
   * The next buffers, at most `limit` bytes of them, as soon as there are any; null at the end.
   * A buffer that is larger is split, not copied. Whoever is never made to wait gets no more than half a MiB in a turn of the
   * event loop.
   */
  async next(limit: number): Promise<Buffer[] | null> {
    this.#attach()
    if (this.#queued > 0 && this.#inTurn >= TURN_BYTES) {
      await new Promise((resolve) => setImmediate(resolve))
      this.#inTurn = 0
    }
    while (this.#queued === 0) {
      if (this.#end !== null) return null
      await this.#moreOrEnd()
      this.#inTurn = 0
    }
    const taken = this.#take(Math.min(limit, TURN_BYTES))
    if (this.#queued < this.#readAhead() && this.#end === null) this.#stream.resume()
    return taken
  }

  /** How fast it has come so far. */
  get pace(): Pace {
    const now = this.#waitsSince === null ? 0 : performance.now() - this.#waitsSince
    return { bytes: this.#received, waitedMs: this.#waitedMs + now }
  }

  /** Ends the body as one that does not come; what was received so far can still be read. */
  stall(): void {
    this.#finish('stalled')
  }

  /** Ends the body from this side; what was received so far can still be read. */
  stop(): void {
    this.#finish('stopped')
  }

  /** Lets go of the stream, which is left flowing: what still comes is dropped, so that the client can read its answer. */
  detach(): void {
    this.#finish('stopped')
    this.#queue = []
    this.#queued = 0
    if (!this.#stream.destroyed) this.#stream.resume()
  }

  #attach(): void {
    if (this.#attached) return
    this.#attached = true
    if (this.#end !== null) return
    if (this.#stream.readableEnded) return this.#finish('complete')
    if (this.#stream.destroyed) return this.#finish('cut')
    this.#stream.on('data', this.#onData)
    this.#stream.on('end', this.#onEnd)
    this.#stream.on('error', this.#onCut)
    this.#stream.on('close', this.#onCut)
  }

  readonly #onData = (buffer: Buffer): void => {
    this.#queue.push(buffer)
    this.#queued += buffer.length
    this.#received += buffer.length
    if (this.#queued >= this.#readAhead()) this.#stream.pause()
    this.#wake?.()
  }

  readonly #onEnd = (): void => this.#finish('complete')

  readonly #onCut = (): void => this.#finish('cut')

  #finish(end: BodyEnd): void {
    if (this.#end !== null) return
    this.#end = end
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#stream.off('data', this.#onData)
    this.#stream.off('end', this.#onEnd)
    this.#stream.off('close', this.#onCut)
    // The error listener stays: a stream without one would throw an error that comes after the end.
    if (this.#attached) this.#stream.pause()
    // What the stream itself still holds was received as well; a stream that is destroyed keeps it until it is read.
    const rest: Buffer | null = this.#stream.read()
    if (rest !== null) {
      this.#queue.push(rest)
      this.#queued += rest.length
      this.#received += rest.length
    }
    this.#wake?.()
  }

  #moreOrEnd(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#timer === null) this.#timer = setTimeout(() => this.#onIdle(), this.#idleTimeoutMs)
      else this.#timer.refresh()
      this.#waitsSince = performance.now()
      this.#wake = () => {
        this.#wake = null
        this.#waitedMs = this.pace.waitedMs
        this.#waitsSince = null
        resolve()
      }
    })
  }

  #onIdle(): void {
    // The timer runs on while the writer is busy; only a wait for bytes that none ended is a stall.
    if (this.#wake !== null) this.#finish('stalled')
  }

  #take(limit: number): Buffer[] {
    if (this.#queued <= limit) {
      const all = this.#queue
      this.#queue = []
      this.#inTurn += this.#queued
      this.#queued = 0
      return all
    }
    const taken: Buffer[] = []
    let left = limit
    while (left > 0) {
      const head = this.#queue[0]
      if (head === undefined) break
      if (head.length <= left) {
        taken.push(head)
        this.#queue.shift()
        left -= head.length
      } else {
        taken.push(head.subarray(0, left))
        this.#queue[0] = head.subarray(left)
        left = 0
      }
    }
    this.#queued -= limit - left
    this.#inTurn += limit - left
    return taken
  }
}
