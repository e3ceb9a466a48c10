import { spreadText, table } from './report.ts'
import type { Figures } from './run.ts'
import { ratiosOf, spreadOf } from './statistics.ts'

export interface Column {
  /** A name among the figures of a run. */
  readonly figure: string
  readonly title: string
  /** Digits behind the point. */
  readonly digits: number
}

/** What every round gave, by row. */
export type Results = ReadonlyMap<string, readonly Figures[]>

/** What is wanted of one row against another. */
export interface Goal {
  readonly text: string
  readonly ours: string
  readonly theirs: string
  readonly figure: string
  /** The least the ratio may be, or the most. */
  readonly least?: number
  readonly most?: number
}

/** A row for each contender. */
export function resultTable(results: Results, columns: readonly Column[]): string {
  const rows = [...results].map(([name, figures]) => [
    name,
    ...columns.map(({ figure, digits }) => spreadText(valuesOf(figures, figure), digits)),
  ])
  return table(['', ...columns.map(({ title }) => title)], rows)
}

/** The goals whose rows were both there: what was wanted, what it is. */
export function goalTable(results: Results, goals: readonly Goal[]): string {
  const rows = goals.flatMap(({ text, ours, theirs, figure, least, most }) => {
    const [mine, others] = [results.get(ours), results.get(theirs)]
    if (mine === undefined || others === undefined) return []
    const ratios = ratiosOf(valuesOf(mine, figure), valuesOf(others, figure))
    return [[text, wanted(least, most), spreadText(ratios, 2), isMet(ratios, least, most) ? 'yes' : '**no**']]
  })
  return rows.length === 0 ? '' : table(['goal', 'wanted', 'ratio, round by round', 'met by the median'], rows)
}

function valuesOf(figures: readonly Figures[], name: string): readonly number[] {
  return figures.map((one) => one[name] ?? Number.NaN)
}

function wanted(least: number | undefined, most: number | undefined): string {
  return least === undefined ? `≤ ${most}` : `≥ ${least}`
}

function isMet(ratios: readonly number[], least = -Infinity, most = Infinity): boolean {
  const { median } = spreadOf(ratios)
  return median >= least && median <= most
}
