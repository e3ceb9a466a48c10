import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Client } from '@aws-sdk/client-s3'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type Uploads } from '../../src/index.ts'
import { S3Storage, s3ClientOptions, type S3StorageOptions } from '../../src/storage/s3/index.ts'
import { Wire } from './http-wire.ts'
import { LEAST_PART } from './s3-proxy-ceph.ts'
import type { S3Service } from './services/s3-service.ts'

/** A request to S3 in which nothing moves for so long has failed, ms. */
const STALL_MS = 2_000

/** Pauses between attempts, and when one is over, as short as a test wants them. */
const POLICY = { baseMs: 1, longestPauseMs: 10, stallMs: STALL_MS } as const

/** A client of S3 as a node has it; it gives up on what S3 is given minutes for, too. */
export function nodeClient(service: S3Service): S3Client {
  const options = s3ClientOptions()
  const requestHandler = { ...options.requestHandler, requestTimeout: STALL_MS + 500 }
  return new S3Client({ ...options, ...service, requestHandler })
}

/** A storage whose requests are those of requests: it is swept when a test says so, and not when it is opened. */
class UnsweptStorage extends S3Storage {
  override async *list(): AsyncIterable<string> {}
  override async sweep(): Promise<void> {}
}

/** What a node is started with. */
export interface NodeOptions extends Pick<S3StorageOptions, 'client' | 'bucket' | 'prefix'> {
  /** Whether a request to S3 is tried again where it failed. */
  readonly retries: boolean
  /** Bytes. */
  readonly chunkSize: number
  /** Told of every upload that completes. */
  readonly onCompleted: (uploadId: string) => void
}

/** Both faces over S3, in this process, on a socket. */
export class S3Node {
  readonly wire: Wire
  readonly #uploads: Uploads
  readonly #server: Server

  private constructor(uploads: Uploads, server: Server) {
    this.#uploads = uploads
    this.#server = server
    this.wire = new Wire(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }

  static async start({ retries, chunkSize, onCompleted, ...where }: NodeOptions): Promise<S3Node> {
    const retry = retries ? POLICY : { ...POLICY, attempts: 1 }
    const uploads = createUploads({
      storage: new UnsweptStorage({ ...where, retry, dialect: { minPartSize: LEAST_PART } }),
      chunkSize,
      onCompleted: ({ uploadId }) => onCompleted(uploadId),
    })
    await uploads.open()
    const server = createServer({ keepAliveTimeout: 0 }, holdfast({ uploads, onError: () => {} }))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new S3Node(uploads, server)
  }

  /** Ends it; what it does beside its requests is done then, too. */
  async stop(): Promise<void> {
    this.wire.close()
    this.#server.close()
    await this.#uploads.close()
    this.#server.closeAllConnections()
  }
}
