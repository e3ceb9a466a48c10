import { readAdvertised, type Advertised } from './advertised.ts'
import { Absent, type Chapter, type Check, type Level, Violation } from './check.ts'
import { Session } from './session.ts'
import { exchange, type SentHeaders } from './wire.ts'

/** PASS; FAIL: a MUST is broken; WARN: something less is; ABSENT: not advertised, or not to be seen on this server. */
export type Verdict = 'PASS' | 'FAIL' | 'WARN' | 'ABSENT'

/** What came of one check. */
export interface Finding {
  readonly chapter: string
  readonly title: string
  readonly level: Level
  readonly quote: string
  readonly verdict: Verdict
  /** What was seen instead, or why nothing was. Empty for a PASS. */
  readonly detail: string
}

/** What a run has found. */
export interface Report {
  readonly endpoint: string
  readonly advertised: Advertised
  readonly findings: readonly Finding[]
}

/** A run. */
export interface RunOptions {
  /** The upload creation URL. */
  readonly endpoint: URL
  readonly chapters: readonly Chapter[]
  /** Sent with every request. @default none */
  readonly headers?: SentHeaders
  /** Checks at a time. @default 4 */
  readonly concurrency?: number
  /** How long a check may take, ms. @default 20 s */
  readonly timeoutMs?: number
}

const CLEANING_MS = 5000

/**
 * Runs all checks.
 * @throws Error where the server cannot be reached
 */
export async function run(options: RunOptions): Promise<Report> {
  const { endpoint, chapters, headers = {}, concurrency = 4, timeoutMs = 20_000 } = options
  const advertised = await ask(endpoint, headers, timeoutMs)
  const checks = chapters.flatMap((chapter) => chapter.checks.map((check) => [chapter, check] as const))
  const findings: Finding[] = []
  // One iterator for all workers: each takes the next.
  const next = checks.entries()
  const work = async (): Promise<void> => {
    for (const [at, [chapter, check]] of next) {
      const session = (signal: AbortSignal): Session => new Session(endpoint, advertised, headers, signal)
      findings[at] = { ...about(chapter, check), ...(await judge(chapter, check, advertised, session, timeoutMs)) }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  return { endpoint: endpoint.href, advertised, findings }
}

async function ask(endpoint: URL, headers: SentHeaders, timeoutMs: number): Promise<Advertised> {
  try {
    return readAdvertised(await exchange('OPTIONS', endpoint, { headers }, AbortSignal.timeout(timeoutMs)))
  } catch (error) {
    throw new Error(`${endpoint.href} cannot be reached: ${String(error)}`, { cause: error })
  }
}

function about({ name }: Chapter, { title, level, quote }: Check) {
  return { chapter: name, title, level, quote }
}

async function judge(
  { extension }: Chapter,
  check: Check,
  { extensions }: Advertised,
  sessionFor: (signal: AbortSignal) => Session,
  timeoutMs: number,
): Promise<Pick<Finding, 'verdict' | 'detail'>> {
  const needed = [...(extension === null ? [] : [extension]), ...(check.needs ?? [])]
  const missing = needed.find((name) => !extensions.has(name))
  if (missing !== undefined) return { verdict: 'ABSENT', detail: `${missing} is not advertised` }
  const signal = AbortSignal.timeout(timeoutMs)
  const session = sessionFor(signal)
  try {
    await check.run(session)
    return { verdict: 'PASS', detail: '' }
  } catch (error) {
    if (error instanceof Absent) return { verdict: 'ABSENT', detail: error.message }
    const verdict = check.level === 'MUST' ? 'FAIL' : 'WARN'
    if (error instanceof Violation) return { verdict, detail: error.message }
    return { verdict, detail: signal.aborted ? `nothing came of it within ${timeoutMs / 1000} s` : String(error) }
  } finally {
    await session.cleanUp(AbortSignal.timeout(CLEANING_MS))
  }
}
