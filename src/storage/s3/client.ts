import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { S3Store } from '@tus/s3-store'
import type { S3StorageOptions } from './options.ts'

/**
 * What an `S3Client` should be made with to be lent to `S3Storage`; spread your own region, endpoint and credentials over
 * it.
 *
 * One attempt for each request, because `S3Storage` tries again itself. Time limits that are errors. Connections that are
 * kept, and as many as are asked for: a slow download must not hold up an upload. No checksums beside those that
 * `S3Storage` computes anyway.
 */
export function s3ClientOptions() {
  const agent = { keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256 }
  return {
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 5_000,
      // Until the answer begins, the sending of the body included: a last resort, for `S3Storage` itself ends a request in
      // which nothing moves.
      requestTimeout: 600_000,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    },
  } as const satisfies S3ClientConfig
}

/** Options of `S3Store` in `@tus/s3-store`. */
export type S3StoreOptions = ConstructorParameters<typeof S3Store>[0]

/**
 * What an `S3Store` is made with, made into options of `S3Storage`: the client, the bucket, the number of parts.
 *
 * `S3Store` lends its client, and nothing else: its keys, parts, lists, its way of finishing and its caches would all be
 * replaced (it takes the sum of the parts' sizes for the offset), and `Storage` is no `DataStore`.
 *
 * @example
 * new S3Storage(fromS3Store({ s3ClientConfig: { ...s3ClientOptions(), region: 'eu-central-1', bucket: 'acme' } }))
 */
export function fromS3Store(options: S3StoreOptions): Pick<S3StorageOptions, 'client' | 'bucket' | 'maxChunks'> {
  return new LendingStore(options).lent
}

class LendingStore extends S3Store {
  get lent() {
    return { client: this.client, bucket: this.bucket, maxChunks: this.maxMultipartParts }
  }
}
