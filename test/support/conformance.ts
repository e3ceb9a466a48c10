import { chapters } from '../conformance/chapters.ts'
import type { Chapter } from '../conformance/check.ts'
import { type Finding, run } from '../conformance/run.ts'
import { drawn } from './cases.ts'
import type { Random } from './byte-source.ts'

/** Runs the conformance suite, or one of its chapters, or what {@link drawnChapters} has drawn. */
export async function conformanceOf(endpoint: URL, only?: string | readonly Chapter[]): Promise<readonly Finding[]> {
  const chosen = typeof only === 'object' ? only : chapters.filter(({ name }) => only === undefined || name === only)
  return (await run({ endpoint, chapters: chosen, timeoutMs: 30_000 })).findings
}

/** About a third of every chapter's checks; all of them in a long run. */
export function drawnChapters(random: Random): readonly Chapter[] {
  return chapters.map((chapter) => {
    const others = Math.ceil(chapter.checks.length / 3) - 2
    return { ...chapter, checks: drawn(chapter.checks, () => chapter.name, Math.max(0, others), random) }
  })
}

/** What is no PASS, a line for each. */
export function remarks(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ verdict }) => verdict !== 'PASS')
    .map(
      ({ verdict, chapter, title, detail }) =>
        `${verdict} ${chapter}: ${title}${verdict === 'ABSENT' ? '' : ` (${detail})`}`,
    )
}
