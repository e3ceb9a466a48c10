import { Redis } from 'ioredis'
import { type CompiledProgram, compileProgram } from './compiled-program.ts'
import { S3Place } from './s3-place.ts'
import { startRedis } from './services/own-redis.ts'
import type { RedisServer } from './services/redis-server.ts'
import { s3Service } from './services/s3.ts'
import { StoppableNode } from './stoppable-nodes.ts'
import type { TakeOver } from './takeover.ts'

/** Long enough for a node on a busy machine to keep what it holds, short enough to be waited for. */
const LEASE_MS = 1000

/** A node that is going to be stopped, another one, and the Redis and the bucket that both have for themselves. */
export class NodePair implements TakeOver {
  readonly stopped: StoppableNode
  readonly other: StoppableNode
  readonly place: S3Place
  readonly #redis: Redis
  readonly #server: RedisServer
  readonly #program: CompiledProgram
  readonly #more: StoppableNode[] = []

  private constructor(
    nodes: readonly [StoppableNode, StoppableNode],
    services: { place: S3Place; redis: Redis; server: RedisServer; program: CompiledProgram },
  ) {
    ;[this.stopped, this.other] = nodes
    this.place = services.place
    this.#redis = services.redis
    this.#server = services.server
    this.#program = services.program
  }

  static async start(): Promise<NodePair> {
    const [server, place, program] = await Promise.all([
      startRedis(),
      S3Place.make(),
      compileProgram('stoppable-node.ts'),
    ])
    const nodes = await Promise.all([startNode(server, place, program), startNode(server, place, program)])
    return new NodePair(nodes, { place, redis: new Redis(server.url), server, program })
  }

  get nodes(): readonly StoppableNode[] {
    return [this.stopped, this.other]
  }

  async flush(): Promise<void> {
    await this.#redis.flushall()
  }

  async startAnother(): Promise<void> {
    this.#more.push(await startNode(this.#server, this.place, this.#program))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.nodes, ...this.#more].map((node) => node.end()))
    this.#redis.disconnect()
    await this.#server.stop()
    await this.place.leave()
    await this.#program.remove()
  }
}

function startNode({ url }: RedisServer, { bucket }: S3Place, { path }: CompiledProgram): Promise<StoppableNode> {
  return StoppableNode.start(path, { redisUrl: url, s3: s3Service(), bucket, leaseMs: LEASE_MS })
}
