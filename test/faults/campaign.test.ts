import { afterAll, describe, expect, it } from 'vitest'
import { runSeed } from '../support/byte-source.ts'
import { describeWithOwnRedis } from '../support/services/own-redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { runCampaign } from './campaign/campaign.ts'
import { COMBINATIONS, traitsOf, type Combination } from './campaign/combination.ts'
import { Tally } from './campaign/tally.ts'

/** Kills and failing calls of each combination; `npm run faults` has many more. */
const KILLS = Number(process.env['FAULTS_KILLS'] ?? 4)
const ERRORS = Number(process.env['FAULTS_ERRORS'] ?? 20)
const SECONDS = Number(process.env['FAULTS_SECONDS'] ?? 20)
const CHOSEN = (process.env['FAULTS_COMBINATIONS'] ?? COMBINATIONS.join()).split(',') as Combination[]

describeWithOwnRedis('servers, Redis and S3 that all fail', () => {
  describeWithS3('at any time', () => {
    const seed = runSeed()
    const kills = new Tally()
    const errors = new Tally()
    afterAll(() => {
      console.log(`HOLDFAST_SEED=${seed} draws the same clients and faults again.`)
      console.log(`Kills by what was under way: ${kills.total}\n${kills.table(CHOSEN)}`)
      console.log(`Calls to storage that failed: ${errors.total}\n${errors.table(CHOSEN)}`)
    })

    describe.each(CHOSEN)('%s', (combination) => {
      it('keep what they acknowledged, and make the files that clients sent', { timeout: 3_600_000 }, async () => {
        const goal = { kills: KILLS, errors: ERRORS, seconds: SECONDS }
        const traits = traitsOf(combination)
        const before = { kills: kills.total, errors: errors.total }
        const { others, ...report } = await runCampaign({ traits, seed, goal, kills, errors })
        console.log(combination, { ...report, ...Object.fromEntries(others) })
        expect(kills.total - before.kills).toBeGreaterThan(0)
        expect(errors.total - before.errors).toBeGreaterThan(0)
      })
    })
  })
})
