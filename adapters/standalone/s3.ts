import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { FastifyBaseLogger } from 'fastify'
import { S3Storage, s3ClientOptions, type S3StorageOptions } from '../../src/storage/s3/index.ts'
import type { Configuration } from './configuration.ts'
import type { Metrics } from './metrics/metrics.ts'
import { observeS3 } from './metrics/observe-s3.ts'

type S3Configuration = Pick<
  Configuration,
  'S3_BUCKET' | 'S3_PREFIX' | 'S3_ENDPOINT' | 'S3_FORCE_PATH_STYLE' | 'S3_PRESIGNED_FOR' | 'MAX_CHUNKS'
>

/**
 * Storage in the bucket that is configured, with credentials and region as every AWS tool takes them.
 * @throws Error in one line, for the operator
 */
export async function createS3(
  configuration: S3Configuration,
  log: FastifyBaseLogger,
  metrics: Metrics,
): Promise<{ readonly storage: S3Storage; close(): void }> {
  // The SDK warns of versions that do not exist yet; an operator of this one can do nothing about it.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  const { S3_BUCKET, S3_PREFIX, S3_ENDPOINT, S3_FORCE_PATH_STYLE, MAX_CHUNKS } = configuration
  const client = new S3Client({
    ...s3ClientOptions(),
    ...(S3_ENDPOINT === null ? {} : { endpoint: S3_ENDPOINT }),
    forcePathStyle: S3_FORCE_PATH_STYLE,
  })
  observeS3(client, metrics)
  // Asked for now: a request would only find out later, and say less of what is missing.
  await client.config.region().catch((error: unknown) => {
    throw new Error('S3 has no region: set AWS_REGION, or the region of your AWS profile.', { cause: error })
  })
  const storage = new S3Storage({
    client,
    bucket: S3_BUCKET ?? '',
    prefix: S3_PREFIX,
    maxChunks: MAX_CHUNKS,
    ...presigned(client, configuration),
    onWarning: (message) => log.warn(message),
    onRetry: () => metrics.s3Retries.inc(),
  })
  return { storage, close: () => client.destroy() }
}

/** Redirects downloads to the bucket. Addresses are signed by the client, so with its endpoint, region and credentials. */
function presigned(client: S3Client, { S3_PRESIGNED_FOR: ms }: S3Configuration): Pick<S3StorageOptions, 'downloadUrl'> {
  if (ms === null) return {}
  return {
    downloadUrl: ({ bucket, key }) =>
      getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: key }), { expiresIn: ms / 1000 }),
  }
}
