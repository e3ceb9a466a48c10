/**
 * The S3 that all test files of a run share. Importing this has it started: keep to buckets of your own.
 */
import { randomUUID } from 'node:crypto'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { ask } from './ask.ts'
import type { S3Service } from './s3-service.ts'

const asked = await ask('s3')

/** Like `describe`; where there is no S3, its tests are reported as not run. */
export const describeWithS3 = asked.describe

/** Where the run's S3 is, as `new S3Client()` takes it; throws where there is none. */
export const s3Service = (): S3Service => asked.service()

/** Makes a new bucket; its name. */
export async function newBucket(): Promise<string> {
  const client = new S3Client(s3Service())
  const Bucket = `holdfast-test-${randomUUID()}`
  await client.send(new CreateBucketCommand({ Bucket }))
  client.destroy()
  return Bucket
}
