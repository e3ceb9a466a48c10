/**
 * A node in a process of its own, with short leases, that stops itself (SIGSTOP) at a request to S3 where it is told to.
 * Argument: its {@link NodePlace}, as JSON.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { S3Client } from '@aws-sdk/client-s3'
import { Redis } from 'ioredis'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads } from '../../src/index.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import { S3Storage, s3ClientOptions } from '../../src/storage/s3/index.ts'
import type { S3Service } from './services/s3-service.ts'
import { type S3Moment, StoppingS3 } from './stopping-s3.ts'

/** Where a node keeps what it shares. */
export interface NodePlace {
  readonly redisUrl: string
  readonly s3: S3Service
  readonly bucket: string
  readonly leaseMs: number
}

/** What the process tells. */
export type NodeNews =
  | { readonly event: 'listens'; readonly url: string }
  /** It stops itself now; it has gone on. */
  | { readonly event: 'stops' | 'goes on' }
  | { readonly event: 'completed'; readonly id: string }
  /** Bytes that it has taken from its clients so far. */
  | { readonly event: 'taken'; readonly bytes: number }

/** What it is told: where to stop, or to say what it has taken. */
export type NodeOrder = { readonly stopAt: S3Moment } | 'tell what is taken'

const { redisUrl, s3, bucket, leaseMs } = JSON.parse(process.argv[2] ?? '{}') as NodePlace

/** Resolves when it is told: a process that has stopped tells nothing. */
function tell(news: NodeNews): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve()
    else process.send(news, () => resolve())
  })
}

const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1 })
const client = new StoppingS3(new S3Client({ ...s3ClientOptions(), ...s3 }), async () => {
  await tell({ event: 'stops' })
  process.kill(process.pid, 'SIGSTOP')
  void tell({ event: 'goes on' })
})
const uploads = createUploads({
  storage: new S3Storage({ client, bucket }),
  state: new RedisState({ redis, leaseMs }),
})
uploads.events.on('completed', ({ uploadId }) => void tell({ event: 'completed', id: uploadId }))
await uploads.open()

const sockets = new Set<Socket>()
// What fails on a node that was stopped, its clients are told.
const server = createServer(holdfast({ uploads, onError: () => {} })).listen(0, '127.0.0.1')
server.on('connection', (socket) => sockets.add(socket))
process.on('message', (order: NodeOrder) => {
  if (order !== 'tell what is taken') client.stopAt(order.stopAt)
  else void tell({ event: 'taken', bytes: [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0) })
})
process.on('disconnect', () => process.exit())
await once(server, 'listening')
await tell({ event: 'listens', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
