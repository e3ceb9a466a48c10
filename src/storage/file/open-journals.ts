/** Most journals that are open while nobody writes them: each is one descriptor. */
const MOST = 64
/** For how long, ms: the lines of a small file come at once, and whoever is slow does not mind another opening. */
const IDLE_MS = 200

/** What is open, and can be opened again. */
export interface Closable {
  /** Closes the file when whatever is under way has ended. Never throws. */
  letGo(): Promise<void>
}

/** The journals that stay open for the next line: those written last, few and not for long. */
export class OpenJournals {
  /** By when they were written, ms; the one that was written last comes last. */
  readonly #open = new Map<Closable, number>()
  #timer: NodeJS.Timeout | null = null

  /** It was written, and stays open. */
  keep(journal: Closable): void {
    this.#open.delete(journal)
    this.#open.set(journal, performance.now())
    const [eldest] = this.#open.keys()
    if (this.#open.size > MOST && eldest !== undefined) void this.#close(eldest)
    if (this.#timer === null) this.#watch()
  }

  /** It was closed. */
  closed(journal: Closable): void {
    this.#open.delete(journal)
  }

  /** Closes all of them, and watches over none. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await Promise.all([...this.#open.keys()].map((journal) => this.#close(journal)))
  }

  async #close(journal: Closable): Promise<void> {
    this.#open.delete(journal)
    await journal.letGo()
  }

  #watch(): void {
    this.#timer = setTimeout(() => {
      const before = performance.now() - IDLE_MS
      for (const [journal, at] of this.#open) if (at <= before) void this.#close(journal)
      this.#timer = null
      if (this.#open.size > 0) this.#watch()
    }, IDLE_MS)
    this.#timer.unref()
  }
}
