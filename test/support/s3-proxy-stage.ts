import type { S3Client } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { gridOf } from '../../src/upload.ts'
import type { Wire } from './http-wire.ts'
import type { S3Bucket } from './s3-proxy-bucket.ts'
import type { S3Fault } from './s3-proxy-fault.ts'
import { nodeClient, S3Node } from './s3-proxy-node.ts'
import type { S3Request } from './s3-proxy-request.ts'
import { S3Proxy } from './s3-proxy.ts'
import type { S3Service } from './services/s3-service.ts'

/** Bytes of a chunk. */
export const CHUNK = 16 * 1024

/** Says what happens to the nth request to S3 (from 1) of a life. */
export type S3Plan = (nth: number, request: S3Request) => S3Fault | null

/** What a client was promised, as long as it holds. */
export interface Promised {
  readonly id: string
  /** Offset, bytes. */
  readonly offset: number
  /** Chunks, by number. */
  readonly chunks: Iterable<number>
}

/** A way to S3 on which one life is lived after the other, and any request can be made to fail. */
export class S3Lane {
  readonly proxy: S3Proxy
  readonly client: S3Client
  readonly bucket: S3Bucket

  private constructor(proxy: S3Proxy, client: S3Client, bucket: S3Bucket) {
    this.proxy = proxy
    this.client = client
    this.bucket = bucket
  }

  static async open(service: S3Service, bucket: S3Bucket): Promise<S3Lane> {
    const proxy = await S3Proxy.start(service.endpoint)
    return new S3Lane(proxy, nodeClient({ ...service, endpoint: proxy.url }), bucket)
  }

  async close(): Promise<void> {
    this.client.destroy()
    await this.proxy.stop()
  }
}

/** Where one upload lives: a node behind a proxy, and a record of what its requests to S3 and its clients met. */
export class S3Stage {
  readonly bucket: S3Bucket
  readonly prefix: string
  /** Requests to S3 since the life began. */
  readonly requests: S3Request[] = []
  /** Those that were made to fail. */
  readonly failed: (S3Request & S3Fault)[] = []
  /** What clients were told that was no success. */
  readonly troubles: string[] = []
  /** Uploads that completed, each time. */
  readonly completed: string[] = []
  readonly #lane: S3Lane
  readonly #retries: boolean
  readonly #plan: S3Plan
  #node: S3Node | null = null
  /** How many had failed when it was last looked whether all is kept. */
  #looked = 0

  constructor(lane: S3Lane, prefix: string, options: { readonly retries: boolean; readonly plan: S3Plan }) {
    this.bucket = lane.bucket
    this.prefix = prefix
    this.#lane = lane
    this.#retries = options.retries
    this.#plan = options.plan
  }

  get wire(): Wire {
    if (this.#node === null) throw new Error('There is no node on this stage.')
    return this.#node.wire
  }

  /** Starts a node in place of the one that was there, which takes with it all it knew. */
  async move(): Promise<void> {
    await this.leave()
    const { name } = this.bucket
    const { client } = this.#lane
    const onCompleted = (id: string): void => void this.completed.push(id)
    const retries = this.#retries
    // What a start asks for is no part of an upload's life.
    this.#node = await S3Node.start({
      client,
      bucket: name,
      prefix: this.prefix,
      retries,
      chunkSize: CHUNK,
      onCompleted,
    })
    this.#lane.proxy.plan = (request) => this.#meet(request)
  }

  /** Ends the node; what it does beside its requests is a part of the life. */
  async leave(): Promise<void> {
    await this.#node?.stop()
    this.#node = null
    await this.#lane.proxy.settled()
    this.#lane.proxy.plan = () => null
  }

  /** After a failure: a node that comes new to the bucket must find all that was promised. */
  async look({ id, offset, chunks }: Promised): Promise<void> {
    if (this.#looked === this.failed.length) return
    this.#looked = this.failed.length
    const stored = await this.bucket.load(this.prefix, id)
    if (stored === null) throw new Error('The upload is gone.')
    const { ledger, status } = stored
    expect(ledger.offset(gridOf(stored)), `bytes that were acknowledged, ${status}`).toBeGreaterThanOrEqual(offset)
    expect([...ledger.chunks.keys()]).toEqual(expect.arrayContaining([...chunks]))
  }

  #meet(request: S3Request): S3Fault | null {
    this.requests.push(request)
    const fault = this.#plan(this.requests.length, request)
    if (fault !== null) this.failed.push({ ...request, ...fault })
    return fault
  }
}
