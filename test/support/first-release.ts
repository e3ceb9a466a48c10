import {
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { STAMP_LUA } from '../../src/state/redis/record-lua.ts'
import { bytesOf } from './byte-source.ts'
import type { S3Place } from './s3-place.ts'

/** The bytes of every file of the fixtures: each begins with the first of these, as many as it has. */
export const FIXTURE_BYTES = bytesOf(2026, 3 * 5 * 1024 * 1024)

/** Bytes that a fixture does not hold, as they are long: a stretch of {@link FIXTURE_BYTES}. */
interface LongBytes {
  readonly start: number
  readonly end: number
}

type FixtureBytes = LongBytes | { readonly base64: string }

interface Headers {
  readonly ContentType?: string | undefined
  readonly ContentDisposition?: string | undefined
  readonly Metadata?: Record<string, string> | undefined
}

/** A bucket as it was. What S3 calls a multipart upload is another each time it is begun: manifests name the old one. */
export interface FixtureBucket {
  readonly objects: readonly (Headers & { readonly key: string; readonly bytes: FixtureBytes })[]
  readonly multiparts: readonly {
    readonly key: string
    readonly uploadId: string
    readonly parts: readonly { readonly number: number; readonly bytes: FixtureBytes }[]
  }[]
}

/** A key of Redis, by the command that makes it. `{server}` stands for the life of the server that wrote it. */
export type FixtureCommand = readonly [command: string, ...args: string[]]

const PREFIX = 'fixture:'
const SHORT = 64 * 1024

/** Writes down all that is in a bucket. */
export async function dumpBucket(place: S3Place, chunkSize: number): Promise<FixtureBucket> {
  const objects = []
  for (const key of await place.keys()) {
    const head = await place.client.send(new HeadObjectCommand({ Bucket: place.bucket, Key: key }))
    const { ContentType, ContentDisposition, Metadata } = head
    objects.push({ key, ContentType, ContentDisposition, Metadata, bytes: described(await place.get(key), 0) })
  }
  const { Uploads = [] } = await place.client.send(new ListMultipartUploadsCommand({ Bucket: place.bucket }))
  const multiparts = []
  for (const { Key = '', UploadId = '' } of Uploads) {
    const { Parts = [] } = await place.client.send(new ListPartsCommand({ Bucket: place.bucket, Key, UploadId }))
    const parts = Parts.map(({ PartNumber = 0, Size = 0 }) => {
      const start = (PartNumber - 1) * chunkSize
      return { number: PartNumber, bytes: { start, end: start + Size } }
    })
    multiparts.push({ key: Key, uploadId: UploadId, parts })
  }
  return { objects, multiparts }
}

/** Makes it anew, in an empty bucket. */
export async function restoreBucket(place: S3Place, { objects, multiparts }: FixtureBucket): Promise<void> {
  const Bucket = place.bucket
  const names = new Map<string, string>()
  for (const { key, uploadId, parts } of multiparts) {
    const begun = await place.client.send(
      new CreateMultipartUploadCommand({ Bucket, Key: key, ChecksumAlgorithm: 'SHA256', ...headersOf(key) }),
    )
    const UploadId = begun.UploadId ?? ''
    names.set(uploadId, UploadId)
    for (const { number: PartNumber, bytes } of parts) {
      const Body = contentOf(bytes)
      const ChecksumSHA256 = createHash('sha256').update(Body).digest('base64')
      await place.client.send(new UploadPartCommand({ Bucket, Key: key, UploadId, PartNumber, Body, ChecksumSHA256 }))
    }
  }
  for (const { key, bytes, ...headers } of objects) {
    let Body = contentOf(bytes)
    if (key.endsWith('/manifest')) {
      const manifest = JSON.parse(Body.toString()) as { uploadId?: string }
      if (manifest.uploadId !== undefined) {
        Body = Buffer.from(JSON.stringify({ ...manifest, uploadId: names.get(manifest.uploadId) ?? '' }))
      }
    }
    await place.client.send(new PutObjectCommand({ Bucket, Key: key, Body, ...headers }))
  }
}

/** What a file that is not made yet was begun with says whose it is: its upload's id stands in its key. */
function headersOf(key: string): Headers {
  const [fileId = '', id = ''] = key.split('/').slice(-2)
  return { Metadata: { 'holdfast-upload': id, 'holdfast-file': fileId } }
}

/** Writes down every key under the prefix of the fixtures. */
export async function dumpRedis(redis: Redis): Promise<FixtureCommand[]> {
  const commands: FixtureCommand[] = []
  for (const key of (await redis.keys(`${PREFIX}{*}:*`)).toSorted()) {
    const part = key.slice(key.lastIndexOf(':') + 1)
    if (part === 'upload') {
      const fields = Object.entries(await redis.hgetall(key)).map(([name, value]) =>
        name === 'server' ? [name, '{server}'] : [name, value],
      )
      commands.push(['HSET', key, ...fields.toSorted(([one = ''], [other = '']) => (one < other ? -1 : 1)).flat()])
    } else if (part === 'entries') commands.push(['RPUSH', key, ...(await redis.lrange(key, 0, -1))])
    else if (part === 'index') {
      const bits = (await redis.getBuffer(key)) ?? Buffer.alloc(0)
      for (let n = 0; n < bits.length * 8; n += 1) {
        if (((bits[n >> 3] ?? 0) & (0x80 >> (n & 7))) !== 0) commands.push(['SETBIT', key, String(n), '1'])
      }
    }
  }
  return commands
}

/** Makes the keys anew under another prefix, as the server that has them now has written them. */
export async function restoreRedis(redis: Redis, prefix: string, commands: readonly FixtureCommand[]): Promise<void> {
  const stamp = String(await redis.eval(`${STAMP_LUA}\nreturn serverStamp()`, 0))
  for (const [command, key = '', ...args] of commands) {
    const own = prefix + key.slice(PREFIX.length)
    await redis.call(command, own, ...args.map((arg) => (arg === '{server}' ? stamp : arg)))
    await redis.pexpire(own, 25 * 3_600_000)
  }
}

function described(content: Buffer, start: number): FixtureBytes {
  if (content.length <= SHORT) return { base64: content.toString('base64') }
  const end = start + content.length
  if (!FIXTURE_BYTES.subarray(start, end).equals(content)) throw new Error('These are no bytes of the fixtures.')
  return { start, end }
}

function contentOf(bytes: FixtureBytes): Buffer {
  return 'base64' in bytes ? Buffer.from(bytes.base64, 'base64') : FIXTURE_BYTES.subarray(bytes.start, bytes.end)
}
