/**
 * Chunks of one append that are received whole and being stored, while the next is received. They are stored beside each
 * other and recorded one after the other: where one fails, none behind it is recorded either, and the offset a client is
 * told is never beyond what it has sent.
 */
export class ChunksInFlight {
  readonly #limit: number
  readonly #storing = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | null = null
  #last: Promise<void> = Promise.resolve()

  /** `limit`: how many are stored at once. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many are being stored. */
  get size(): number {
    return this.#storing.size
  }

  /**
   * Stores a chunk; `store` is given the outcome of the one before it. What goes wrong is told by the next call that waits.
   */
  add(store: (before: Promise<void>) => Promise<void>): void {
    const stored = store(this.#last)
    this.#last = stored
    const settled = stored.catch((error: unknown) => {
      this.#failure ??= { error }
    })
    const tracked = settled.finally(() => this.#storing.delete(tracked))
    this.#storing.add(tracked)
  }

  /** Waits until one more may be stored. Throws what the first that failed threw. */
  async room(): Promise<void> {
    while (this.#storing.size >= this.#limit && this.#failure === null) await Promise.race(this.#storing)
    this.#throwFailure()
  }

  /** Waits until all are stored. Throws what the first that failed threw, when nothing is under way any more. */
  async stored(): Promise<void> {
    await this.settled()
    this.#throwFailure()
  }

  /** Waits until nothing is under way, whatever came of it. */
  async settled(): Promise<void> {
    while (this.#storing.size > 0) await Promise.all(this.#storing)
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error
  }
}
