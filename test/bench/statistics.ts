/** What repeated runs gave. */
export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

/** The middle and the ends of some values; of none, not a number. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]]
  return {
    median: ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2,
    lowest: sorted[0] ?? Number.NaN,
    highest: sorted.at(-1) ?? Number.NaN,
  }
}

/** The least of the values that `part` (0 to 1) of them do not exceed; of none, not a number. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}

/** One's values over another's, run by run: what the machine did in a round it did to both. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): readonly number[] {
  return Array.from({ length: Math.min(ours.length, theirs.length) }, (_, run) => {
    return (ours[run] ?? Number.NaN) / (theirs[run] ?? Number.NaN)
  })
}
