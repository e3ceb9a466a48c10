/**
 * State and locks in Redis, for many processes.
 *
 * @module
 */
export type { LockerRedis } from '../../locks/redis/lock-node.ts'
export { RedisLocker, type RedisLockerOptions } from '../../locks/redis-locker.ts'
export type { RedisClient, RedisSubscriber } from '../../redis/client.ts'
export { RedisState, type RedisStateOptions, type StateRedis } from './redis-state.ts'
