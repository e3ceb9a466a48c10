/** Times of one kind of request, ms. */
export class Times {
  readonly #ms: number[] = []

  add(ms: number): void {
    this.#ms.push(ms)
  }

  get count(): number {
    return this.#ms.length
  }

  /** The time that so many percent were not above, ms; 0 where there is none. */
  percentile(percent: number): number {
    const sorted = this.#ms.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0
  }

  toString(): string {
    const [half, most, worst] = [50, 99, 100].map((percent) => this.percentile(percent).toFixed())
    return `${this.count} requests, p50 ${half} ms, p99 ${most} ms, longest ${worst} ms`
  }
}
