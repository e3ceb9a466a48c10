import type { Random } from './byte-source.ts'

/** How many times as many cases are tried: `HOLDFAST_CASES=20` for a long run. */
const TIMES = Number(process.env['HOLDFAST_CASES'] ?? 1)

/** So many cases, or as many times more as are asked for. */
export function cases(count: number): number {
  return Math.ceil(count * TIMES)
}

/**
 * Of all cases, in their order, the first and the last of each kind, and so many others of it drawn: all of them in a
 * long run.
 */
export function drawn<T>(all: readonly T[], kindOf: (one: T) => string, others: number, random: Random): T[] {
  const kinds = new Map<string, number[]>()
  for (const [index, one] of all.entries()) {
    const kind = kindOf(one)
    const indices = kinds.get(kind)
    if (indices === undefined) kinds.set(kind, [index])
    else indices.push(index)
  }
  const chosen = new Set<number>()
  for (const indices of kinds.values()) {
    const between = random.shuffle(indices.slice(1, -1)).slice(0, cases(others))
    for (const index of [...indices.slice(0, 1), ...between, ...indices.slice(-1)]) chosen.add(index)
  }
  return all.filter((_, index) => chosen.has(index))
}
