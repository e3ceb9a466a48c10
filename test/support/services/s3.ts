/**
 * The S3 that all test files of a run share. Importing this has it started: keep to buckets of your own.
 */
import { randomUUID } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll } from 'vitest'
import { ask } from './ask.ts'
import type { S3Service } from './s3-service.ts'

const asked = await ask('s3')
const buckets: string[] = []

// It keeps all of it in memory.
afterAll(async () => {
  if (buckets.length === 0) return
  const client = new S3Client(s3Service())
  for (const bucket of buckets.splice(0)) await empty(client, bucket)
  client.destroy()
})

/** Like `describe`; where there is no S3, its tests are reported as not run. */
export const describeWithS3 = asked.describe

/** Where the run's S3 is, as `new S3Client()` takes it; throws where there is none. */
export const s3Service = (): S3Service => asked.service()

/** Makes a new bucket, which is emptied at the end of the test file; its name. */
export async function newBucket(): Promise<string> {
  const client = new S3Client(s3Service())
  const Bucket = `holdfast-test-${randomUUID()}`
  await client.send(new CreateBucketCommand({ Bucket }))
  client.destroy()
  buckets.push(Bucket)
  return Bucket
}

async function empty(client: S3Client, Bucket: string): Promise<void> {
  for (let isMore = true; isMore; ) {
    const { Contents = [], IsTruncated = false } = await client.send(new ListObjectsV2Command({ Bucket }))
    const Objects = Contents.map(({ Key }) => ({ Key }))
    if (Objects.length > 0) await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
    isMore = IsTruncated
  }
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  for (const { Key, UploadId } of Uploads) {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  }
}
