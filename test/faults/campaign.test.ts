import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSeed } from '../support/byte-source.ts'
import { describeWithOwnRedis } from '../support/services/own-redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { runCampaign } from './campaign/campaign.ts'
import { traitsOf } from './campaign/combination.ts'
import { CHOSEN, GOAL, IS_WHOLE, TALLIES } from './campaign/settings.ts'
import { keepTallies, readTallies } from './campaign/tallies.ts'
import { Tally } from './campaign/tally.ts'

describeWithOwnRedis('servers, Redis and S3 that all fail', () => {
  describeWithS3('at any time', () => {
    const seed = runSeed()
    let kills = new Tally()
    let errors = new Tally()
    beforeAll(async () => {
      const before = await readTallies(TALLIES)
      kills = before.kills
      errors = before.errors
    })
    const unlocked = { kills: new Tally(), errors: new Tally() }
    afterAll(async () => {
      await keepTallies(TALLIES, { kills, errors })
      console.log(`HOLDFAST_SEED=${seed} draws the same clients and faults again.`)
      console.log(
        `Kills, by the requests under way and how far their uploads were: ${kills.total}\n${kills.table(CHOSEN)}`,
      )
      console.log(`Calls to storage that failed: ${errors.total}\n${errors.table(CHOSEN)}`)
    })

    describe.each(CHOSEN)('%s', (combination) => {
      // In the short form of it a busy machine has a second try; what the first found is printed with its seed.
      it('keep what they acknowledged, and make the files that clients sent', {
        timeout: 3_600_000,
        retry: IS_WHOLE ? 0 : 1,
      }, async () => {
        const traits = traitsOf(combination)
        const before = { kills: kills.total, errors: errors.total }
        const { others, ...report } = await runCampaign({ traits, seed, goal: GOAL, kills, errors })
        console.log(combination, { ...report, ...Object.fromEntries(others) })
        expect(kills.total - before.kills).toBeGreaterThanOrEqual(Math.min(1, GOAL.kills))
        expect(errors.total - before.errors).toBeGreaterThanOrEqual(Math.min(1, GOAL.errors))
        const seldom = [...kills.below(combination, GOAL.inCell), ...errors.below(combination, GOAL.inCell)]
        if (seldom.length > 0) console.log(`${combination}: seen less than ${GOAL.inCell} times`, seldom)
      })
    })

    // It takes as long as another combination.
    const isRun = IS_WHOLE && CHOSEN.includes('S3/Redis')
    it.each(isRun ? ['three nodes'] : [])(
      'keep what they acknowledged on %s whose locks keep nobody out',
      { timeout: 3_600_000 },
      async () => {
        const goal = { ...GOAL, inCell: 0 }
        const { others, ...report } = await runCampaign({
          traits: traitsOf('S3/Redis'),
          seed,
          goal,
          ...unlocked,
          isUnlocked: true,
        })
        console.log('S3/Redis, unlocked', { ...report, ...Object.fromEntries(others) })
        console.log(`Kills: ${unlocked.kills.total}\n${unlocked.kills.table(['S3/Redis'])}`)
        console.log(`Calls to storage that failed: ${unlocked.errors.total}\n${unlocked.errors.table(['S3/Redis'])}`)
        expect(unlocked.kills.total).toBeGreaterThan(0)
      },
    )
  })
})
