import { Worker } from 'node:worker_threads'
import { HashRing } from './hash-ring.ts'

/** Buffers on their way to the thread and not hashed yet; more would only cost memory. */
const IN_FLIGHT = 4
/** Bytes of a file that are read at a time: they stay where the core has them at hand. */
const PIECE_BYTES = 256 * 1024

/**
 * What runs in the thread. A text and not a module: it is the same under a bundler, in tests and compiled.
 * In: `update` hashes a buffer, `feed` a stretch of the ring, `read` a stretch of the first file that is there; `mark` remembers
 * the hash as it is, `settle` forgets what was remembered before, `back` goes back; `digest` asks for the digest, `drop`
 * forgets. Out, for `update`, `read` and `digest`: `{ id, at?, sha256? }`, with how far a file was hashed.
 */
const SCRIPT = `
const { parentPort, workerData } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const { closeSync, openSync, readSync } = require('node:fs')
const piece = Buffer.allocUnsafeSlow(${PIECE_BYTES})
const ring = new Uint8Array(workerData.bytes)
const done = new Int32Array(workerData.done)
const hashes = new Map()
const stateOf = (id) => {
  let state = hashes.get(id)
  if (state === undefined) hashes.set(id, (state = { hash: createHash('sha256'), marks: new Map() }))
  return state
}
const openFirst = (paths) => {
  for (const path of paths) {
    try {
      return openSync(path, 'r')
    } catch {}
  }
  return null
}
const actions = {
  update({ id, buffer }) {
    stateOf(id).hash.update(buffer)
    parentPort.postMessage({ id })
  },
  feed({ id, at, length }) {
    const { hash } = stateOf(id)
    const first = Math.min(length, ring.length - at)
    hash.update(ring.subarray(at, at + first))
    if (first < length) hash.update(ring.subarray(0, length - first))
    Atomics.add(done, 0, length)
  },
  read({ id, paths, start, end }) {
    const { hash } = stateOf(id)
    let at = start
    const file = openFirst(paths)
    // Whoever asked reads on from where this ends, and is told what is wrong there.
    try {
      for (let read = -1; file !== null && at < end && read !== 0; at += read) {
        read = readSync(file, piece, 0, Math.min(piece.length, end - at), at)
        hash.update(piece.subarray(0, read))
      }
    } catch {}
    try {
      if (file !== null) closeSync(file)
    } catch {}
    parentPort.postMessage({ id, at })
  },
  mark({ id, mark }) {
    const { hash, marks } = stateOf(id)
    marks.set(mark, hash.copy())
  },
  settle({ id, mark }) {
    const { marks } = stateOf(id)
    for (const one of marks.keys()) if (one < mark) marks.delete(one)
  },
  back({ id, mark }) {
    const state = stateOf(id)
    state.hash = state.marks.get(mark).copy()
    for (const one of state.marks.keys()) if (one > mark) state.marks.delete(one)
  },
  digest({ id }) {
    const { hash } = stateOf(id)
    hashes.delete(id)
    parentPort.postMessage({ id, sha256: hash.digest('hex') })
  },
  drop({ id }) {
    hashes.delete(id)
  },
}
parentPort.on('message', (message) => actions[message.action](message))
`

/** One SHA-256 that is computed in a thread. */
export interface ThreadHash {
  /** Hashes a buffer, which is the thread's from now on; resolves when another may be given. */
  update(buffer: Buffer): Promise<void>
  /**
   * Hashes bytes `[start, end)` of the first of these files that is there, while nothing else is given. Resolves to how far it
   * came: less than `end` where a file is missing, too short or cannot be read.
   */
  read(paths: readonly string[], start: number, end: number): Promise<number>
  /** Hashes a copy of buffers. Returns false, and hashes nothing of them, where there is no room, or the thread has failed. */
  feed(buffers: readonly Buffer[]): boolean
  /** Remembers the hash as it is now, under a number that is larger than those before. */
  mark(mark: number): void
  /** No number before this one is gone back to. */
  settle(mark: number): void
  /** Goes back to what was remembered under this number, which must be. */
  back(mark: number): void
  /** The digest in hex; the hash is over then. */
  digest(): Promise<string>
  /** Forgets it. */
  drop(): void
}

type Message = { readonly id: number } & (
  | { readonly action: 'update'; readonly buffer: Uint8Array }
  | { readonly action: 'read'; readonly paths: readonly string[]; readonly start: number; readonly end: number }
  | { readonly action: 'feed'; readonly at: number; readonly length: number }
  | { readonly action: 'mark' | 'settle' | 'back'; readonly mark: number }
  | { readonly action: 'digest' | 'drop' }
)

/** What the thread says. */
interface Answer {
  readonly id: number
  readonly at?: number
  readonly sha256?: string
}

interface Pending {
  inFlight: number
  read: ((at: number) => void) | null
  wake: (() => void) | null
  digest: ((sha256: string) => void) | null
  fail: ((error: unknown) => void) | null
}

interface Thread {
  readonly worker: Worker
  readonly ring: HashRing
}

/**
 * A thread that hashes, so that whole-file checksums leave the thread that moves bytes alone. It is begun with the first
 * hash, and does not keep the process alive.
 */
export class HashThread {
  readonly #pending = new Map<number, Pending>()
  #thread: Thread | null = null
  #next = 0

  /** Begins a hash. */
  create(): ThreadHash {
    const id = (this.#next += 1)
    const pending: Pending = { inFlight: 0, read: null, wake: null, digest: null, fail: null }
    this.#pending.set(id, pending)
    /** A mark of a hash that is gone with its thread is nobody's: the next buffer will tell. */
    const remember = (action: 'mark' | 'settle' | 'back', mark: number): void => {
      if (this.#pending.has(id)) this.#post({ id, action, mark })
    }
    return {
      update: async (buffer) => {
        this.#mustLive(id)
        const own = detachable(buffer)
        this.#post({ id, action: 'update', buffer: own }, [own.buffer])
        pending.inFlight += 1
        if (pending.inFlight >= IN_FLIGHT) {
          await new Promise<void>((resolve, reject) => {
            pending.wake = resolve
            pending.fail = reject
          })
        }
      },
      read: (paths, start, end) =>
        new Promise<number>((resolve, reject) => {
          this.#mustLive(id)
          pending.read = resolve
          pending.fail = reject
          this.#post({ id, action: 'read', paths, start, end })
        }),
      feed: (buffers) => this.#feed(id, buffers),
      mark: (mark) => remember('mark', mark),
      settle: (mark) => remember('settle', mark),
      back: (mark) => remember('back', mark),
      digest: () =>
        new Promise<string>((resolve, reject) => {
          this.#mustLive(id)
          pending.digest = resolve
          pending.fail = reject
          this.#post({ id, action: 'digest' })
        }),
      drop: () => {
        if (!this.#pending.delete(id)) return
        if (this.#thread !== null) this.#post({ id, action: 'drop' })
        pending.fail?.(new Error('this hash was dropped'))
      },
    }
  }

  /** Ends the thread; what it still had to do is not done. */
  async stop(): Promise<void> {
    const thread = this.#thread
    this.#thread = null
    await thread?.worker.terminate()
  }

  /** A thread that failed took its hashes with it: going on in another would give the digest of a part. */
  #mustLive(id: number): void {
    if (!this.#pending.has(id)) throw new Error('this hash is gone with its thread')
  }

  #feed(id: number, buffers: readonly Buffer[]): boolean {
    if (!this.#pending.has(id)) return false
    this.#thread ??= this.#begin()
    const stretch = this.#thread.ring.take(buffers)
    if (stretch === null) return false
    this.#post({ id, action: 'feed', ...stretch })
    return true
  }

  #post(message: Message, transfer: ArrayBuffer[] = []): void {
    this.#thread ??= this.#begin()
    this.#thread.worker.postMessage(message, transfer)
  }

  #begin(): Thread {
    const ring = new HashRing()
    const worker = new Worker(SCRIPT, { eval: true, execArgv: [], workerData: ring.shared })
    worker.unref()
    worker.on('message', ({ id, at, sha256 }: Answer) => {
      const pending = this.#pending.get(id)
      if (pending === undefined) return
      if (at !== undefined) pending.read?.(at)
      else if (sha256 === undefined) {
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
      if (this.#thread?.worker === worker) this.#thread = null
      for (const pending of this.#pending.values()) pending.fail?.(error)
      this.#pending.clear()
    }
    worker.on('error', failed)
    worker.on('exit', () => failed(new Error('the thread that hashes has ended')))
    return { worker, ring }
  }
}

/** The buffer itself where it is all of its memory, so that it moves without a copy; else a copy. */
function detachable(buffer: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer: memory } = buffer
  const isWhole = memory instanceof ArrayBuffer && memory.byteLength === buffer.length
  return isWhole ? new Uint8Array(memory) : Uint8Array.from(buffer)
}
