/**
 * Redis servers of a test's own, to kill, stop and bring back.
 */
import { ask } from './ask.ts'
import { formRedisCluster, type RedisCluster, type RedisClusterOptions } from './redis-cluster.ts'
import { type RedisServer, type RedisServerOptions, startRedisServer } from './redis-server.ts'

const asked = await ask('redisCommand')

/** Like `describe`; where there is no Redis to start, its tests are reported as not run. */
export const describeWithOwnRedis = asked.describe

/** Starts a Redis that the caller stops. */
export const startRedis = async (options?: RedisServerOptions): Promise<RedisServer> =>
  startRedisServer(asked.service(), options)

/** Makes a Cluster of six that the caller stops. */
export const startRedisCluster = async (options?: RedisClusterOptions): Promise<RedisCluster> =>
  formRedisCluster(asked.service(), options)
