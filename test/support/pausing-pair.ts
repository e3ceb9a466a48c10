import { S3Place } from './s3-place.ts'
import { serveNodes, type ServedNode, type ServedNodes } from './served-nodes.ts'
import { startRedis } from './services/own-redis.ts'
import type { RedisServer } from './services/redis-server.ts'
import type { TakeOver } from './takeover.ts'

/** Two nodes in this process that keep nobody out, each of which can be had to pause. */
export class PausingPair implements TakeOver {
  readonly place: S3Place
  readonly stopped: ServedNode
  readonly other: ServedNode
  readonly #served: ServedNodes
  readonly #server: RedisServer

  private constructor(place: S3Place, server: RedisServer, served: ServedNodes) {
    const [stopped, other] = served.nodes as readonly [ServedNode, ServedNode]
    this.stopped = stopped
    this.other = other
    this.place = place
    this.#served = served
    this.#server = server
  }

  static async start(): Promise<PausingPair> {
    const [server, place] = await Promise.all([startRedis(), S3Place.make()])
    return new PausingPair(place, server, await serveNodes(2, place, server.url))
  }

  get nodes(): readonly ServedNode[] {
    return [this.stopped, this.other]
  }

  flush(): Promise<void> {
    return this.#served.flush()
  }

  async startAnother(): Promise<void> {
    await this.#served.add()
  }

  async stop(): Promise<void> {
    await this.#served.close()
    await this.place.leave()
    await this.#server.stop()
  }
}
