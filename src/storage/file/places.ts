import { UploadError } from '../../errors.ts'
import type { Ledger } from '../../ledger.ts'

/** How long a writer waits for another to leave its chunk, ms. With locks that stand it never does. */
const PATIENCE_MS = 5000

/**
 * Which bytes of one upload this process is writing, and which it has recorded. A chunk is written in place: where a lock was
 * lost (its keeper was flushed, or failed over) a second writer would write over the first one's bytes, also over bytes that
 * were acknowledged. As one process owns the directory, what it knows here keeps every byte that was recorded from being
 * written again, whatever has become of the locks.
 */
export class Places {
  /** The chunks that are being written, and who is told when their writer leaves. */
  readonly #writing = new Map<number, Set<() => void>>()
  readonly #chunks = new Set<number>()
  /** Recorded bytes at the start of a chunk, by its number. */
  readonly #tails = new Map<number, number>()

  /**
   * Takes a chunk, from its byte `from` on, for one writer, who leaves it. One who has lost its lock is waited for.
   * @throws UploadError `UPLOAD_LOCKED` when another stays at it; `CHUNKS_MISSING` when more of it is recorded than this one
   * knows: its state is behind storage
   */
  async take(number: number, from: number, patienceMs = PATIENCE_MS): Promise<void> {
    const end = performance.now() + patienceMs
    for (let at = this.#writing.get(number); at !== undefined; at = this.#writing.get(number)) {
      const left = end - performance.now()
      if (left <= 0) throw new UploadError('UPLOAD_LOCKED')
      await leftOrTime(at, left)
    }
    if (this.#chunks.has(number) || (this.#tails.get(number) ?? 0) > from) throw new UploadError('CHUNKS_MISSING')
    this.#writing.set(number, new Set())
  }

  leave(number: number): void {
    const waiting = this.#writing.get(number)
    this.#writing.delete(number)
    for (const wake of waiting ?? []) wake()
  }

  /** A chunk was recorded, or, where `tailSize` says how much of it, its beginning. */
  recorded(number: number, tailSize?: number): void {
    if (tailSize === undefined) this.#chunks.add(number)
    else this.#tails.set(number, Math.max(tailSize, this.#tails.get(number) ?? 0))
  }

  /** Storage has found that it holds no more than this: the rest may be written again. */
  keep({ chunks, tail }: Ledger): void {
    for (const number of this.#chunks) if (!chunks.has(number)) this.#chunks.delete(number)
    this.#tails.clear()
    if (tail !== null) this.#tails.set(tail.number, tail.size)
  }
}

async function leftOrTime(waiting: Set<() => void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let wake: (() => void) | undefined
  await new Promise<void>((resolve) => {
    wake = resolve
    waiting.add(resolve)
    timer = setTimeout(resolve, ms)
  })
  clearTimeout(timer)
  if (wake !== undefined) waiting.delete(wake)
}
