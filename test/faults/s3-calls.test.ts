import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Random, runSeed } from '../support/byte-source.ts'
import { cases } from '../support/cases.ts'
import { faultName } from '../support/s3-proxy-fault.ts'
import { S3Lanes } from '../support/s3-proxy-lanes.ts'
import { S3_LIVES } from '../support/s3-proxy-lives.ts'
import { doubleFailures, type LivedLife, singleFailures } from '../support/s3-proxy-plans.ts'
import type { S3Outcome, S3Trial } from '../support/s3-proxy-trial.ts'
import { describeWithS3 } from '../support/services/s3.ts'

/** Lives that are lived at the same time: most of their time they wait for S3. */
const PARALLEL = 32
const PAIRS = cases(40)
/** Every request in every way, which takes some minutes; else some of them, and ways take turns. */
const EVERY_WAY = process.env['HOLDFAST_EVERY_WAY'] === 'on'
const TIMEOUT = { timeout: 900_000 }

const seed = runSeed()

describeWithS3('requests to S3 that fail on their way', () => {
  let lanes: S3Lanes
  let lived: LivedLife[]

  beforeAll(async () => {
    lanes = await S3Lanes.open(PARALLEL)
    const trials = S3_LIVES.map((life) => ({ life, retries: true, plan: () => null }))
    const outcomes = await lanes.try(trials)
    expect(outcomes.flatMap(({ faults, troubles }) => [...faults, ...troubles])).toEqual([])
    lived = trials.map(({ life }, n) => ({ life, requests: outcomes[n]?.requests ?? [] }))
    console.log(`requests to S3 that fail: HOLDFAST_SEED=${seed} draws the same ways again`)
  }, 120_000)

  afterAll(() => lanes.close())

  /** Tries all of them; prints what was done to each life. */
  async function outcomesOf(trials: readonly S3Trial[], what: string): Promise<S3Outcome[]> {
    const outcomes = await lanes.try(trials)
    for (const { life, requests } of lived) {
      const own = outcomes.filter((_, n) => trials[n]?.life === life)
      const failed = own.flatMap((outcome) => outcome.failed)
      const before = failed.filter(({ when }) => when === 'before').length
      const told = own.flatMap(({ troubles }) => troubles).length
      console.log(
        `${what}: ${life.title}: ${requests.length} requests, ${own.length} lives, failed ${before} before and ` +
          `${failed.length - before} after they took effect; clients were told of ${told} failures`,
      )
    }
    console.log(`${what}: ${JSON.stringify(countsOf(outcomes.flatMap(({ failed }) => failed.map(faultName))))}`)
    return outcomes
  }

  describe('once, before or after they took effect', () => {
    it('cost no client anything where the storage tries again', TIMEOUT, async () => {
      const trials = singleFailures(lived, new Random(seed, 1), { retries: true, everyWay: EVERY_WAY, others: 1 })
      const outcomes = await outcomesOf(trials, 'once, with retries')
      expect(outcomes.flatMap(({ faults }) => faults)).toEqual([])
      expect(outcomes.flatMap(({ troubles }) => troubles)).toEqual([])
      expect(outcomes.filter(({ failed }) => failed.length !== 1)).toEqual([])
      expect(lanes.rejections).toEqual([])
    })

    it('cost a client a retry and nothing else where it does not', TIMEOUT, async () => {
      const trials = singleFailures(lived, new Random(seed, 2), { retries: false, everyWay: EVERY_WAY, others: 3 })
      const outcomes = await outcomesOf(trials, 'once, without retries')
      expect(outcomes.flatMap(({ faults }) => faults)).toEqual([])
      expect(outcomes.filter(({ failed }) => failed.length !== 1)).toEqual([])
      expect(lanes.rejections).toEqual([])
    })
  })

  it('two in a row, cost retries and nothing else', TIMEOUT, async () => {
    const outcomes = await outcomesOf(doubleFailures(lived, new Random(seed, 3), PAIRS), 'two in a row')
    expect(outcomes.flatMap(({ faults }) => faults)).toEqual([])
    expect(outcomes.filter(({ failed }) => failed.length === 2).length).toBeGreaterThanOrEqual(PAIRS * 0.8)
    expect(lanes.rejections).toEqual([])
  })
})

/** How often each name comes. */
function countsOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
