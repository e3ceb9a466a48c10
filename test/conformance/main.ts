#!/usr/bin/env node
/** `npm run conformance -- URL`: checks a server against the sentences of tus 1.0.0. */
import { chapters } from './chapters.ts'
import { readArguments, USAGE } from './arguments.ts'
import { jsonOf, textOf } from './report.ts'
import { run } from './run.ts'

/** Exit codes: 1 where a MUST is broken, 2 where nothing could be checked. */
const BROKEN = 1
const UNUSABLE = 2

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const asked = readArguments(process.argv.slice(2), chapters)
    if (asked === 'help') {
      process.stdout.write(USAGE)
      return 0
    }
    const report = await run(asked)
    process.stdout.write(asked.json ? jsonOf(report) : textOf(report))
    return report.findings.some(({ verdict }) => verdict === 'FAIL') ? BROKEN : 0
  } catch (error) {
    process.stderr.write(`conformance: ${error instanceof Error ? error.message : String(error)}\n`)
    return UNUSABLE
  }
}
