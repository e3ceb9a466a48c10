import { describe, expect, it, onTestFinished } from 'vitest'
import { Random, runSeed } from '../support/byte-source.ts'
import { cases } from '../support/cases.ts'
import { sharedVariables } from '../support/cluster.ts'
import { type FinalsPlace, KilledFinals } from '../support/killed-finals.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'

async function killWhileMaking(place: FinalsPlace, rounds: number): Promise<void> {
  const seed = runSeed()
  console.log(`concatenation test: HOLDFAST_SEED=${seed} draws the same orders and shares of the time again`)
  const finals = new KilledFinals(place, new Random(seed))
  onTestFinished(() => finals.leave())
  try {
    await finals.begin(seed)
    for (let round = 0; round < rounds; round += 1) await finals.round()
    expect(await finals.files()).toBe(rounds + 1)
  } catch (error) {
    console.log(`HOLDFAST_SEED=${seed}\n${finals.output().slice(-10_000)}`)
    throw error
  }
  const { caught, before, heads } = finals
  console.log(`concatenation test: ${rounds} files`, { caught, before, heads })
  expect(caught).toBeGreaterThanOrEqual(rounds / 4)
  expect(await finals.end()).toBe(0)
}

describe('a server that is killed while it makes a file of partial uploads', () => {
  it('makes it once, of the right bytes, when it is asked for again: on a disk', { timeout: 180_000 }, async () => {
    await killWhileMaking({ dataDir: await tempDir(), bucket: null, variables: { CHUNK_SIZE: '256KiB' } }, cases(8))
  })
})

describeWithRedis('a server with Redis', () => {
  describeWithS3('and S3 that is killed while it makes a file of partial uploads', () => {
    it('makes it once, of the right bytes, when it is asked for again', { timeout: 300_000 }, async () => {
      const bucket = await newBucket()
      const variables = { ...sharedVariables(redisService().url, bucket), REDIS_PREFIX: `${bucket}:`, LOCK_LEASE: '4s' }
      await killWhileMaking({ dataDir: await tempDir(), bucket, variables }, cases(3))
    })
  })
})
