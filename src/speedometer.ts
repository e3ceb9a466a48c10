/** The window over which speed is measured, ms. */
const WINDOW_MS = 10_000
/** Commits that come closer than this, ms, count as one sample, so that a window stays small. */
const SAMPLE_MS = 250

/** One upload's recent speed. Pure: times are passed in. */
export class Speedometer {
  readonly #samples: { at: number; bytes: number }[] = []

  /** Tells that `bytes` are durable in all at `at` (ms). */
  sample(at: number, bytes: number): void {
    // The last sample moves on until it is far enough from the one before it: its bytes are always those of its time.
    const before = this.#samples.at(-2)
    if (before !== undefined && at - before.at < SAMPLE_MS) this.#samples.pop()
    this.#samples.push({ at, bytes })
    while (this.#samples.length > 2 && (this.#samples[0]?.at ?? at) < at - WINDOW_MS) this.#samples.shift()
  }

  /** Bytes per second over the window that ends at `at` (ms); 0 where nothing came lately. */
  bytesPerSecond(at: number): number {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || at - last.at > WINDOW_MS) return 0
    const elapsed = Math.max(at, last.at) - first.at
    return elapsed <= 0 ? 0 : Math.round(((last.bytes - first.bytes) * 1000) / elapsed)
  }
}
