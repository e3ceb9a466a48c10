import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type Uploads } from '../../src/index.ts'
import { S3Storage } from '../../src/storage/s3/index.ts'
import { JsonClient } from './json-client.ts'
import type { S3Place } from './s3-place.ts'
import { type S3Moment, StoppingS3 } from './stopping-s3.ts'
import type { StillNode } from './takeover.ts'
import { TusClient } from './tus-client.ts'
import { UnlockedState } from './unlocked-state.ts'

/** A node in this process whose locks keep nobody out. */
export class ServedNode implements StillNode {
  readonly url: string
  readonly tus: TusClient
  readonly json: JsonClient
  readonly uploads: Uploads
  readonly state: UnlockedState
  readonly #client: StoppingS3
  readonly #redis: Redis
  readonly #server: Server
  readonly #completed = new Set<string>()
  #onStop: () => void = () => {}
  #paused: (() => void)[] = []

  private constructor(place: S3Place, redisUrl: string, server: Server) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    this.tus = new TusClient(this.url)
    this.json = new JsonClient(this.url)
    this.#server = server
    this.#redis = new Redis(redisUrl)
    this.#client = new StoppingS3(place.client, () => this.#pause())
    this.state = new UnlockedState({ redis: this.#redis })
    const storage = new S3Storage({ client: this.#client, bucket: place.bucket })
    this.uploads = createUploads({ storage, state: this.state })
    this.uploads.events.on('completed', ({ uploadId }) => void this.#completed.add(uploadId))
    // What fails, its clients are told.
    server.on('request', holdfast({ uploads: this.uploads, onError: () => {} }))
  }

  static async serve(place: S3Place, redisUrl: string): Promise<ServedNode> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const node = new ServedNode(place, redisUrl, server)
    await node.uploads.open()
    return node
  }

  /** Has some of its requests wait at a request to S3, while the others go on; resolves when all of them do. */
  stopsAt(moment: S3Moment): Promise<void> {
    this.#client.stopAt(moment)
    return new Promise((resolve) => {
      this.#onStop = () => {
        if (this.#paused.length === (moment.times ?? 1)) resolve()
      }
    })
  }

  goOn(): void {
    for (const resolve of this.#paused.splice(0)) resolve()
  }

  hasCompleted(id: string): boolean {
    return this.#completed.has(id)
  }

  async close(): Promise<void> {
    this.json.close()
    this.#server.close()
    await this.uploads.close()
    this.#server.closeAllConnections()
    this.#redis.disconnect()
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#paused.push(resolve)
      this.#onStop()
    })
  }
}

/** Nodes that share a Redis and a bucket. */
export interface ServedNodes {
  readonly nodes: readonly ServedNode[]
  add(): Promise<void>
  /** Has Redis forget everything. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** Serves `count` nodes. */
export async function serveNodes(count: number, place: S3Place, redisUrl: string): Promise<ServedNodes> {
  const redis = new Redis(redisUrl)
  const serve = (): Promise<ServedNode> => ServedNode.serve(place, redisUrl)
  const nodes = await Promise.all(Array.from({ length: count }, serve))
  return {
    nodes,
    add: async () => void nodes.push(await serve()),
    flush: async () => void (await redis.flushall()),
    close: async () => {
      await Promise.all(nodes.map((node) => node.close()))
      redis.disconnect()
    },
  }
}
