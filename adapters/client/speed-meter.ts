/** Over how long speed is measured, ms: long enough for chunks that are told of when they are whole, short enough to follow. */
const WINDOW_MS = 10_000

/** How fast a count of bytes grows. Times are ms on one clock. */
export class SpeedMeter {
  #samples: { readonly at: number; readonly bytes: number }[] = []

  /** Begins anew: after a pause, what was before it says nothing. */
  restart(bytes: number, at: number): void {
    this.#samples = [{ at, bytes }]
  }

  /** The count now. Where it went back, as with a request that is sent again, the old is forgotten. */
  add(bytes: number, at: number): void {
    const last = this.#samples.at(-1)
    if (last === undefined || bytes < last.bytes) return this.restart(bytes, at)
    this.#samples.push({ at, bytes })
    // One sample older than the window stays: the window's beginning lies after it.
    const since = this.#samples.findIndex((sample) => sample.at >= at - WINDOW_MS)
    if (since > 1) this.#samples.splice(0, since - 1)
  }

  /** Bytes per second over the last seconds; 0 while nothing is known. */
  bytesPerSecond(at: number): number {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || at <= first.at) return 0
    return ((last.bytes - first.bytes) * 1000) / (at - first.at)
  }
}
