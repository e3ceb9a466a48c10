import { ListMultipartUploadsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { sha256Of } from './byte-source.ts'

/** Every file and folder, with its content and the time of its last change; what the owner touches every second is left out. */
export async function treeOf(directory: string): Promise<string[]> {
  const lines: string[] = []
  for (const name of (await readdir(directory, { recursive: true })).toSorted()) {
    if (name === 'owner.json') continue
    const facts = await stat(join(directory, name), { bigint: true })
    const content = facts.isFile() ? sha256Of(await readFile(join(directory, name))) : ''
    lines.push(`${name} ${facts.ino} ${facts.mtimeNs} ${facts.ctimeNs} ${content}`)
  }
  return lines
}

/** Every object, with its ETag and the time at which it was written, and every multipart upload. */
export async function bucketOf(client: S3Client, bucket: string): Promise<string[]> {
  const lines: string[] = []
  let token: string | undefined
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, ...(token === undefined ? {} : { ContinuationToken: token }) }),
    )
    for (const { Key, ETag, LastModified } of page.Contents ?? []) {
      lines.push(`${Key} ${ETag} ${LastModified?.toISOString()}`)
    }
    token = page.NextContinuationToken
  } while (token !== undefined)
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  return [...lines, ...Uploads.map(({ Key, UploadId }) => `multipart ${Key} ${UploadId}`)]
}

/** Every key under a prefix with its content, and when it will be gone. */
export async function redisOf(redis: Redis, prefix: string): Promise<string[]> {
  const keys = (await redis.keys(`${prefix}*`)).toSorted()
  return await Promise.all(
    keys.map(async (key) => {
      return `${key} ${await redis.pexpiretime(key)} ${JSON.stringify(await contentOf(redis, key))}`
    }),
  )
}

/** The content of a key; of what has no order, in one. */
async function contentOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key)
  switch (type) {
    case 'string':
      return (await redis.getBuffer(key))?.toString('base64')
    case 'hash':
      return Object.entries(await redis.hgetall(key)).toSorted(([one], [other]) => (one < other ? -1 : 1))
    case 'list':
      return redis.lrange(key, 0, -1)
    case 'zset':
      return redis.zrange(key, 0, -1, 'WITHSCORES')
    default:
      throw new Error(`${key} is a ${type}.`)
  }
}
