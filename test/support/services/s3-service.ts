/** What an S3 client is to be told. */
export interface S3Service {
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly forcePathStyle: boolean
}

/** The S3 that variables name, or null where they name none. */
export function namedS3(env: NodeJS.ProcessEnv): S3Service | null {
  const endpoint = env['TEST_S3_ENDPOINT']
  if (!endpoint) return null
  const accessKeyId = env['TEST_S3_ACCESS_KEY'] || env['AWS_ACCESS_KEY_ID']
  const secretAccessKey = env['TEST_S3_SECRET_KEY'] || env['AWS_SECRET_ACCESS_KEY']
  if (!accessKeyId || !secretAccessKey) {
    throw new Error('TEST_S3_ENDPOINT wants AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY beside it')
  }
  const region = env['AWS_REGION'] || 'us-east-1'
  return { endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true }
}
