/**
 * Holdfast on an S3 that takes smaller parts than AWS does, so that an upload can have many of them here:
 * `node small-parts-server.js ENDPOINT BUCKET PART_SIZE REDIS_URL`.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Client } from '@aws-sdk/client-s3'
import { Redis } from 'ioredis'
import { holdfast } from '../../../adapters/node/index.ts'
import { createUploads } from '../../../src/index.ts'
import { RedisState } from '../../../src/state/redis/index.ts'
import { S3Storage, s3ClientOptions } from '../../../src/storage/s3/index.ts'

const [endpoint = '', bucket = '', partSize = '', redisUrl = ''] = process.argv.slice(2)
const client = new S3Client({ ...s3ClientOptions(), endpoint, forcePathStyle: true })
const uploads = createUploads({
  storage: new S3Storage({ client, bucket, dialect: { minPartSize: Number(partSize) } }),
  state: new RedisState({ redis: new Redis(redisUrl), prefix: `${bucket}:` }),
  chunkSize: Number(partSize),
  fileChecksum: 'composite',
})
await uploads.open()
const server = createServer(holdfast({ uploads }))
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
