import { Worker } from 'node:worker_threads'

/** Buffers on their way to the thread and not hashed yet; more would only cost memory. */
const IN_FLIGHT = 4

/**
 * What runs in the thread. A text and not a module: it is the same under a bundler, in tests and compiled.
 * In: `{ id, buffer }` hashes a buffer, `{ id }` asks for the digest, `{ id, drop }` forgets. Out: `{ id, sha256? }`.
 */
const SCRIPT = `
const { parentPort } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const hashes = new Map()
parentPort.on('message', ({ id, buffer, drop }) => {
  if (drop) return void hashes.delete(id)
  let hash = hashes.get(id)
  if (hash === undefined) hashes.set(id, (hash = createHash('sha256')))
  if (buffer !== undefined) {
    hash.update(buffer)
    parentPort.postMessage({ id })
  } else {
    hashes.delete(id)
    parentPort.postMessage({ id, sha256: hash.digest('hex') })
  }
})
`

/** One SHA-256 that is computed in a thread. */
export interface ThreadHash {
  /** Hashes a buffer, which is the thread's from now on; resolves when another may be given. */
  update(buffer: Buffer): Promise<void>
  /** The digest in hex; the hash is over then. */
  digest(): Promise<string>
  /** Forgets it. */
  drop(): void
}

interface Pending {
  inFlight: number
  wake: (() => void) | null
  digest: ((sha256: string) => void) | null
  fail: ((error: unknown) => void) | null
}

/**
 * A thread that hashes, so that whole-file checksums leave the thread that moves bytes alone. It is begun with the first
 * hash, and does not keep the process alive.
 */
export class HashThread {
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | null = null
  #next = 0

  /** Begins a hash. */
  create(): ThreadHash {
    const id = (this.#next += 1)
    const pending: Pending = { inFlight: 0, wake: null, digest: null, fail: null }
    this.#pending.set(id, pending)
    return {
      update: async (buffer) => {
        this.#mustLive(id)
        const own = detachable(buffer)
        this.#post({ id, buffer: own }, [own.buffer])
        pending.inFlight += 1
        if (pending.inFlight >= IN_FLIGHT) {
          await new Promise<void>((resolve, reject) => {
            pending.wake = resolve
            pending.fail = reject
          })
        }
      },
      digest: () =>
        new Promise<string>((resolve, reject) => {
          this.#mustLive(id)
          pending.digest = resolve
          pending.fail = reject
          this.#post({ id })
        }),
      drop: () => {
        if (!this.#pending.delete(id)) return
        this.#worker?.postMessage({ id, drop: true })
        pending.fail?.(new Error('this hash was dropped'))
      },
    }
  }

  /** Ends the thread; what it still had to do is not done. */
  async stop(): Promise<void> {
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }

  /** A thread that failed took its hashes with it: going on in another would give the digest of a part. */
  #mustLive(id: number): void {
    if (!this.#pending.has(id)) throw new Error('this hash is gone with its thread')
  }

  #post(message: object, transfer: ArrayBuffer[] = []): void {
    this.#worker ??= this.#begin()
    this.#worker.postMessage(message, transfer)
  }

  #begin(): Worker {
    const worker = new Worker(SCRIPT, { eval: true, execArgv: [] })
    worker.unref()
    worker.on('message', ({ id, sha256 }: { readonly id: number; readonly sha256?: string }) => {
      const pending = this.#pending.get(id)
      if (pending === undefined) return
      if (sha256 === undefined) {
        pending.inFlight -= 1
        pending.wake?.()
        pending.wake = null
      } else {
        this.#pending.delete(id)
        pending.digest?.(sha256)
      }
    })
    let isOver = false
    const failed = (error: unknown): void => {
      // A failure is told twice, as error and as exit; between the two another thread may have begun.
      if (isOver) return
      isOver = true
      if (this.#worker === worker) this.#worker = null
      for (const pending of this.#pending.values()) pending.fail?.(error)
      this.#pending.clear()
    }
    worker.on('error', failed)
    worker.on('exit', () => failed(new Error('the thread that hashes has ended')))
    return worker
  }
}

/** The buffer itself where it is all of its memory, so that it moves without a copy; else a copy. */
function detachable(buffer: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer: memory } = buffer
  const isWhole = memory instanceof ArrayBuffer && memory.byteLength === buffer.length
  return isWhole ? new Uint8Array(memory) : Uint8Array.from(buffer)
}
