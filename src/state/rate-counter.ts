/** How often something has happened in the window of time that is open. */
export interface Rate {
  readonly count: number
  /** When the window closes, ms from now. */
  readonly leftMs: number
}

/** Counts for all processes together. */
export interface RateCounter {
  /** Counts one more. The first opens a window of so many ms, and the count begins anew when it has closed. */
  count(key: string, windowMs: number): Promise<Rate>
}
