/**
 * The Redis that all test files of a run share. Importing this has it started: keep to keys with a prefix of your own.
 */
import { ask } from './ask.ts'
import type { RedisService } from './redis-service.ts'

const asked = await ask('redis')

/** Like `describe`; where there is no Redis, its tests are reported as not run. */
export const describeWithRedis = asked.describe

/** Where the run's Redis is; throws where there is none. */
export const redisService = (): RedisService => asked.service()
