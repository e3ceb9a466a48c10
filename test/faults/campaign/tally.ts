import type { Combination } from './combination.ts'

/** What was done to an upload: during which call, in which phase of it. */
export interface Cell {
  readonly call: string
  readonly phase: string
}

/** Counts, as JSON. */
export interface CountedBefore {
  readonly total: number
  /** By combination, then by cell. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** Counts of one kind of fault, by combination, call and phase. */
export class Tally {
  readonly #counts = new Map<Combination, Map<string, number>>()
  #total = 0

  /** What was counted before: see {@link Tally.toJSON}. */
  static of({ total, counts }: CountedBefore): Tally {
    const tally = new Tally()
    tally.#total = total
    for (const [combination, cells] of Object.entries(counts)) {
      tally.#counts.set(combination as Combination, new Map(Object.entries(cells)))
    }
    return tally
  }

  /** All that was counted, to go on from another time. */
  toJSON(): CountedBefore {
    const counts = [...this.#counts].map(([combination, cells]) => [combination, Object.fromEntries(cells)] as const)
    return { total: this.#total, counts: Object.fromEntries(counts) }
  }

  /** How many faults there were: one may stand in several cells. */
  get total(): number {
    return this.#total
  }

  /** Counts one fault in all cells it falls in; the same cell is counted once. */
  add(combination: Combination, cells: readonly Cell[]): void {
    this.#total += 1
    const counts = this.#of(combination)
    for (const key of new Set(cells.map(keyOf))) counts.set(key, (counts.get(key) ?? 0) + 1)
  }

  count(combination: Combination, cell: Cell): number {
    return this.#of(combination).get(keyOf(cell)) ?? 0
  }

  /** All cells of a combination, with their counts. */
  cells(combination: Combination): [key: string, count: number][] {
    return [...this.#of(combination)].toSorted(([a], [b]) => a.localeCompare(b))
  }

  /** Cells of a combination that have seen less than this. */
  below(combination: Combination, least: number): [key: string, count: number][] {
    return this.cells(combination).filter(([, count]) => count < least)
  }

  /** A row for each call and phase, a column for each combination. */
  table(combinations: readonly Combination[]): string {
    const keys = [...new Set(combinations.flatMap((one) => [...this.#of(one).keys()]))].toSorted()
    const width = Math.max(...keys.map((key) => key.length), 0)
    const head = [' '.repeat(width), ...combinations].join('  ')
    const row = (key: string): string => {
      const cells = combinations.map((one) => String(this.#of(one).get(key) ?? '-').padStart(one.length))
      return [key.padEnd(width), ...cells].join('  ')
    }
    return [head, ...keys.map(row)].join('\n')
  }

  #of(combination: Combination): Map<string, number> {
    const standing = this.#counts.get(combination)
    if (standing !== undefined) return standing
    const counts = new Map<string, number>()
    this.#counts.set(combination, counts)
    return counts
  }
}

/** The cell that a key of {@link Tally.cells} stands for. */
export function cellOf(key: string): Cell {
  const [call = '', phase = ''] = key.split(', ')
  return { call, phase }
}

function keyOf({ call, phase }: Cell): string {
  return `${call}, ${phase}`
}
