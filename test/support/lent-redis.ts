import type { Cluster, Redis } from 'ioredis'
import type { RedisArgument, RedisSubscriber } from '../../src/redis/client.ts'

/** A client lent to a locker, that knows when all that is on its way between the two has arrived. */
export class LentRedis {
  readonly client: Redis | Cluster
  /** How many commands were sent. */
  sent = 0
  /** The connections that the borrower has made. */
  readonly duplicates: (Redis | Cluster)[] = []
  readonly #onTheWay = new Set<Promise<unknown>>()
  readonly #channels = new Map<string, Promise<unknown>>()
  #key = 'any'

  constructor(client: Redis | Cluster) {
    this.client = client
  }

  evalsha(sha: string, keyCount: number, ...rest: RedisArgument[]): Promise<unknown> {
    return this.#follow(rest, this.client.evalsha(sha, keyCount, ...rest))
  }

  eval(script: string, keyCount: number, ...rest: RedisArgument[]): Promise<unknown> {
    return this.#follow(rest, this.client.eval(script, keyCount, ...rest))
  }

  duplicate(): RedisSubscriber {
    const duplicate: Redis | Cluster = this.client.duplicate()
    this.duplicates.push(duplicate)
    return {
      subscribe: (channel) => {
        const subscribed = duplicate.subscribe(channel)
        this.#channels.set(
          channel,
          subscribed.catch(() => {}),
        )
        return subscribed
      },
      on: (event: string, listener: (...args: never[]) => void) =>
        duplicate.on(event, listener as (...args: unknown[]) => void),
      disconnect: () => {
        duplicate.disconnect()
        this.#channels.clear()
      },
    }
  }

  /** Resolves when every command has been answered and every message sent before has been heard. */
  async quiet(): Promise<void> {
    while (this.#onTheWay.size > 0) await Promise.allSettled(this.#onTheWay)
    for (const [channel, subscribed] of this.#channels) {
      await subscribed
      await this.#echo(channel)
    }
    for (let i = 0; i < 3; i += 1) await new Promise((resolve) => setImmediate(resolve))
  }

  /** From where the locks are, so that it comes behind what was published there before. */
  async #echo(channel: string): Promise<void> {
    const duplicate = this.duplicates.at(-1)
    const text = `echo ${Math.random()}`
    const heard = new Promise<void>((resolve) => {
      const listener = (_: string, message: string) => {
        if (message !== text) return
        duplicate?.off('message', listener)
        resolve()
      }
      duplicate?.on('message', listener)
    })
    await this.client.eval("return redis.call('PUBLISH', ARGV[1], ARGV[2])", 1, this.#key, channel, text)
    await heard
  }

  #follow(rest: readonly RedisArgument[], command: Promise<unknown>): Promise<unknown> {
    this.sent += 1
    this.#key = String(rest[0])
    this.#onTheWay.add(command)
    const arrived = () => this.#onTheWay.delete(command)
    command.then(arrived, arrived)
    return command
  }
}

/** Waits until nothing is on its way any more, and nothing comes of what has arrived. */
export async function allQuiet(all: readonly LentRedis[]): Promise<void> {
  const count = () => all.reduce((sum, { sent }) => sum + sent, 0)
  for (let before = -1; before !== count(); ) {
    before = count()
    for (const lent of all) await lent.quiet()
  }
}
