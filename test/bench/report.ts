import { type Spread, spreadOf } from './statistics.ts'

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

/** Texts with a line between them; those that say nothing are left out. */
export function paragraphs(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n\n')
}

/** `540 (510–555)`: the median, and between which values all runs were. One value stands alone; none is `–`. */
export function spreadText(values: readonly number[], digits: number): string {
  const known = values.filter((value) => !Number.isNaN(value))
  if (known.length === 0) return '–'
  const { median, lowest, highest }: Spread = spreadOf(known)
  const text = (value: number): string => value.toFixed(digits)
  return known.length === 1 ? text(median) : `${text(median)} (${text(lowest)}–${text(highest)})`
}

/**
 * Puts `content` between the two comments that bear the region's name, whatever stood there. All else is by hand, and
 * stays. A text that has no such region gets it at its end.
 */
export function withRegion(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- npm run bench: ${name} -->`, `<!-- end of ${name} -->`]
  const region = `${begin}\n\n${content.trim()}\n\n${end}`
  const from = text.indexOf(begin)
  if (from < 0) return `${text.trimEnd()}\n\n${region}\n`.trimStart()
  const to = text.indexOf(end, from)
  if (to < 0) throw new Error(`The region ${name} begins and does not end: "${end}" is missing.`)
  return text.slice(0, from) + region + text.slice(to + end.length)
}
