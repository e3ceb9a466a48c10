import { Redis, type RedisOptions } from 'ioredis'
import type { Metrics } from './metrics.ts'

/** A connection to Redis of which every command is measured. */
export class ObservedRedis extends Redis {
  readonly #metrics: Metrics

  constructor(url: string, options: RedisOptions, metrics: Metrics) {
    super(url, options)
    this.#metrics = metrics
    this.on('reconnecting', () => metrics.redisReconnects.inc())
  }

  override sendCommand(...[command, stream]: Parameters<Redis['sendCommand']>): unknown {
    const begun = performance.now()
    const end = (outcome: string): void =>
      this.#metrics.redisCommand.record((performance.now() - begun) / 1000, command.name, outcome)
    command.promise.then(
      () => end('ok'),
      () => end('error'),
    )
    return super.sendCommand(command, stream)
  }
}
