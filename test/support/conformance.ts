import { chapters } from '../conformance/chapters.ts'
import { type Finding, run } from '../conformance/run.ts'

/** Runs the conformance suite, or some of its chapters. */
export async function conformanceOf(endpoint: URL, only?: string): Promise<readonly Finding[]> {
  const chosen = chapters.filter(({ name }) => only === undefined || name === only)
  return (await run({ endpoint, chapters: chosen, timeoutMs: 30_000 })).findings
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
