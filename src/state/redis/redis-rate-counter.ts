import type { RedisClient } from '../../redis/client.ts'
import { answered, RedisScript, runScript } from '../../redis/script.ts'
import type { Rate, RateCounter } from '../rate-counter.ts'

/*
 * KEYS    the count
 * ARGV    how long a window is, ms
 * returns {how many, what is left of the window, ms}
 */
const COUNT = new RedisScript(`
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return { count, left }`)

/** {@link RateCounter} in Redis: one command a count, each in a key of its own, which is gone with its window. */
export class RedisRateCounter implements RateCounter {
  readonly #redis: RedisClient
  readonly #prefix: string
  readonly #timeoutMs: number

  constructor(redis: RedisClient, prefix: string, timeoutMs: number) {
    this.#redis = redis
    this.#prefix = prefix
    this.#timeoutMs = timeoutMs
  }

  async count(key: string, windowMs: number): Promise<Rate> {
    const counted = runScript(this.#redis, COUNT, [`${this.#prefix}rate:${key}`], [windowMs])
    const [count, leftMs] = (await answered(counted, this.#timeoutMs)) as readonly [number, number]
    return { count, leftMs }
  }
}
