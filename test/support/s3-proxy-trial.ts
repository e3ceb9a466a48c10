import { setTimeout as delay } from 'node:timers/promises'
import { faultName, type S3Fault } from './s3-proxy-fault.ts'
import { faultsLeft } from './s3-proxy-leavings.ts'
import type { S3Life } from './s3-proxy-lives.ts'
import type { S3Request } from './s3-proxy-request.ts'
import { type S3Lane, type S3Plan, S3Stage } from './s3-proxy-stage.ts'

/** Longer no life lasts, ms: whatever fails once or twice is over before. */
const LONGEST_MS = 60_000

/** What is to be tried. */
export interface S3Trial {
  readonly life: S3Life
  /** Whether the server tries requests to S3 again. */
  readonly retries: boolean
  readonly plan: S3Plan
}

/** How it went. */
export interface S3Outcome {
  readonly requests: readonly S3Request[]
  readonly failed: readonly (S3Request & S3Fault)[]
  /** What clients were told that was no success. */
  readonly troubles: readonly string[]
  /** What must not be. */
  readonly faults: readonly string[]
}

/** Lives one life, and looks at what it leaves. */
export async function tryLife(lane: S3Lane, prefix: string, { life, ...options }: S3Trial): Promise<S3Outcome> {
  const stage = new S3Stage(lane, prefix, options)
  const faults: string[] = []
  try {
    await stage.move()
    const { id, bytes } = await inTime(life.live(stage))
    await inTime(stage.leave())
    const told = stage.completed.filter((completed) => completed === id).length
    if (life.leavesFile && told !== 1) faults.push(`its completion is told ${told} times`)
    const mayHaveTwin = life.isMadeAnew === true && stage.troubles.length > 0
    const ended = { prefix, id, bytes: life.leavesFile ? bytes : null, mayHaveTwin }
    faults.push(...(await faultsLeft(lane.bucket, ended, { sweep: stage.failed.length === 0 })))
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error))
    await stage.leave().catch(() => {})
  }
  const { requests, failed, troubles } = stage
  return { requests, failed, troubles, faults: faults.map((fault) => `${situation(life, stage)}: ${fault}`) }
}

function situation({ title }: S3Life, { failed, prefix, troubles }: S3Stage): string {
  const where = failed.map((fault) => `${fault.name} of ${fault.key.slice(prefix.length)} ${faultName(fault)}`)
  return `${title}, ${where.join(' and ')}, clients told ${troubles.join(', ') || 'nothing'}`
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const late = delay(LONGEST_MS, null, { signal: over.signal }).then(() => {
    throw new Error(`it does not end within ${LONGEST_MS} ms`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    over.abort()
  }
}
