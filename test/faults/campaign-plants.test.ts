import { expect, it } from 'vitest'
import { runSeed } from '../support/byte-source.ts'
import { compileProgram } from '../support/compiled-program.ts'
import { describeWithOwnRedis } from '../support/services/own-redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { runCampaign } from './campaign/campaign.ts'
import { type Traits, traitsOf } from './campaign/combination.ts'
import { plant, type Planted, PLANTS } from './campaign/plants.ts'
import { IS_WHOLE, PLANT_SECONDS } from './campaign/settings.ts'
import { Tally } from './campaign/tally.ts'

/** A server that a campaign must find something in. */
interface Subject {
  readonly name: string
  readonly traits: Traits
  readonly make: () => Promise<Planted>
  readonly often?: string
}

const DEFECTS: readonly Subject[] = PLANTS.map((one) => ({
  name: `where ${one.defect} (${one.combination})`,
  traits: traitsOf(one.combination),
  make: () => plant(one),
  ...(one.often === undefined ? {} : { often: one.often }),
}))

const STOCK: readonly Subject[] = (['file/memory', 'S3/memory'] as const).map((combination) => ({
  name: `that is a stock @tus/server (${combination})`,
  traits: { ...traitsOf(combination), isPlainTus: true },
  make: async () => {
    const program = await compileProgram('../faults/campaign/stock-server.ts')
    return { main: program.path, remove: () => program.remove() }
  },
}))

/** A run of all tests sees that each defect has its place, and tries one. */
const RUN = IS_WHOLE ? [...STOCK, ...DEFECTS] : DEFECTS.filter(({ name }) => name.includes('501'))

describeWithOwnRedis('a server', () => {
  describeWithS3('with a defect', () => {
    it.each(PLANTS)('has one place where $defect', async (one) => {
      const planted = await plant(one)
      await planted.remove()
    })

    it.each(RUN)('$name is found out', { timeout: 900_000 }, async ({ name, traits, make, often }) => {
      const subject = await make()
      const goal = { kills: Infinity, errors: Infinity, inCell: 0, seconds: PLANT_SECONDS }
      const { main } = subject
      const tallies = { kills: new Tally(), errors: new Tally() }
      const options = { traits, seed: runSeed(), goal, main, ...tallies, ...(often === undefined ? {} : { often }) }
      const found = await runCampaign(options).then(
        () => null,
        (error: unknown) => String(error),
      )
      await subject.remove()
      console.log(`A server ${name}: ${found?.slice(0, 500)}`)
      expect(found).not.toBeNull()
      expect(found, 'no defect, but a server that does not begin').not.toMatch(/before it listened/)
    })
  })
})
