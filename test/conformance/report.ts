import type { Finding, Report, Verdict } from './run.ts'

/** Verdicts, by how much they matter. */
const VERDICTS: readonly Verdict[] = ['PASS', 'FAIL', 'WARN', 'ABSENT']

/** How many findings have a verdict. */
function count(findings: readonly Finding[], verdict: Verdict): number {
  return findings.filter((finding) => finding.verdict === verdict).length
}

/** A report for people: a line for each check, and with what is not a PASS the sentence and what was seen. */
export function textOf({ endpoint, advertised, findings }: Report): string {
  const lines = [
    `tus 1.0.0 conformance of ${endpoint}`,
    `advertised: ${[...advertised.extensions].join(', ') || 'no extension'}`,
  ]
  let chapter = ''
  for (const finding of findings) {
    if (finding.chapter !== chapter) lines.push('', (chapter = finding.chapter))
    lines.push(`  ${finding.verdict.padEnd(6)} ${finding.level.padEnd(7)} ${finding.title}`)
    if (finding.verdict === 'ABSENT') lines.push(`${INDENT}${finding.detail}`)
    if (finding.verdict === 'FAIL' || finding.verdict === 'WARN') {
      lines.push(`${INDENT}“${finding.quote}”`, `${INDENT}seen: ${finding.detail}`)
    }
  }
  lines.push('', VERDICTS.map((verdict) => `${count(findings, verdict)} ${verdict}`).join(', '))
  return `${lines.join('\n')}\n`
}

const INDENT = ' '.repeat(17)

/** A report for programs, quotations and all. */
export function jsonOf({ endpoint, advertised, findings }: Report): string {
  const { versions, extensions, maxSize, algorithms } = advertised
  const counts = Object.fromEntries(VERDICTS.map((verdict) => [verdict, count(findings, verdict)]))
  return `${JSON.stringify({ endpoint, advertised: { versions, extensions: [...extensions], maxSize, algorithms }, counts, findings }, null, 2)}\n`
}
