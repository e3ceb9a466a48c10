import * as fc from 'fast-check'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { lockSteps, playLockStory } from '../../support/locker-model.ts'
import { describeLocker } from '../../support/locker-suite.ts'
import { lockerNodes } from '../../support/redis-lockers.ts'
import { describeWithRedis, redisService } from '../../support/services/redis.ts'
import { describeTusLocker } from '../../support/tus-locker-suite.ts'

const connect = () => new Redis(redisService().url)

describeWithRedis('RedisLocker', () => {
  describeLocker('One RedisLocker', () => lockerNodes([connect()]))
  describeLocker('Two RedisLockers taking turns', () => lockerNodes([connect(), connect()]))
  describeTusLocker('One RedisLocker', () => lockerNodes([connect()]))
  describeTusLocker('Two RedisLockers taking turns', () => lockerNodes([connect(), connect()]))

  it('keeps the rules in every story of acquiring, moving, releasing and giving up, on three nodes', async () => {
    const nodes = lockerNodes([connect(), connect(), connect()])
    await fc.assert(
      fc.asyncProperty(lockSteps, async (steps) => {
        await playLockStory(nodes, steps)
        expect(nodes.lockers.map(({ size }) => size)).toEqual([0, 0, 0])
      }),
      { numRuns: 60 },
    )
    await nodes.close()
  })
})
