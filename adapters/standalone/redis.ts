import type { FastifyBaseLogger } from 'fastify'
import { RedisState } from '../../src/state/redis/index.ts'
import type { Configuration } from './configuration.ts'
import type { Metrics } from './metrics/metrics.ts'
import { ObservedRedis } from './metrics/observed-redis.ts'

/** How often trouble with Redis is told of, ms: a connection that is refused fails several times a second. */
const TOLD_EVERY_MS = 10_000
const LONGEST_RETRY_MS = 2000

/** Connects to Redis, which may come later: until then requests are told to try again. */
export async function createRedis(
  url: string,
  { REDIS_PREFIX, LOCK_LEASE }: Pick<Configuration, 'REDIS_PREFIX' | 'LOCK_LEASE'>,
  log: FastifyBaseLogger,
  metrics: Metrics,
): Promise<{ readonly state: RedisState; close(): Promise<void> }> {
  const options = {
    connectionName: 'holdfast',
    // Who waits is told soon; the connection itself is tried for ever.
    maxRetriesPerRequest: 1,
    connectTimeout: 5000,
    retryStrategy: (attempt: number) => Math.min(LONGEST_RETRY_MS, 50 * 2 ** Math.min(attempt, 10)),
    // A replica that a failover has left behind refuses writes: the next connection finds the new master.
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? (2 as const) : false),
  }
  const redis = new ObservedRedis(url, options, metrics)
  let toldAt = -Infinity
  redis.on('error', (error: Error) => {
    if (performance.now() - toldAt < TOLD_EVERY_MS) return
    toldAt = performance.now()
    log.error({ err: error }, 'Redis does not answer')
  })
  redis.on('ready', () => {
    if (toldAt > -Infinity) log.info('Redis answers again')
    toldAt = -Infinity
  })
  return {
    state: new RedisState({ redis, prefix: REDIS_PREFIX, leaseMs: LOCK_LEASE }),
    close: async () => redis.disconnect(),
  }
}
