import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { MemoryState, type Storage, type UploadsOptions } from '../../src/index.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { S3Storage } from '../../src/storage/s3/index.ts'
import { S3Place } from './s3-place.ts'
import { redisService } from './services/redis.ts'
import { nobodysId } from './sweepable-uploads.ts'
import { makeTempDir } from './temp-dir.ts'

/** State of many nodes by a clock that the test sets: nobody asks Redis for the time. */
class ClockedState extends RedisState {
  override get skewMs(): number {
    return 0
  }
}

/** Where bytes are, and what else lies there that belongs to others. */
interface Bytes {
  readonly storage: Storage
  readonly chunkSize: number
  /** All names there are. */
  things(): Promise<string[]>
  /** The names that are left of an upload that has ended. */
  tombstone(id: string, fileId: string): readonly string[]
  /** Leaves something that a crash could have left; its name. */
  leaveStray(): Promise<string>
  remove(): Promise<void>
}

/** A storage and a state of one test, and all that lies there. */
export interface Ground extends Omit<Bytes, 'remove'> {
  readonly state: NonNullable<UploadsOptions['state']>
  readonly redis: Redis | null
  /** How the keys in Redis begin. */
  readonly prefix: string
  remove(): Promise<void>
}

async function onDisk(): Promise<Bytes> {
  const directory = await makeTempDir()
  await mkdir(join(directory, 'uploads', 'lost+found'), { recursive: true })
  await mkdir(join(directory, 'files'))
  for (const name of ['notes.txt', 'files/own.txt', 'uploads/readme']) await writeFile(join(directory, name), 'mine')
  return {
    storage: new FileStorage({ directory }),
    chunkSize: 64 * 1024,
    things: async () => (await readdir(directory, { recursive: true })).map((name) => `disk ${name}`),
    tombstone: (id) => ['', '/manifest.json', '/journal'].map((name) => `disk uploads/${id}${name}`),
    leaveStray: async () => {
      const name = `uploads/.gone-${nobodysId()}-0123abcd`
      await mkdir(join(directory, name))
      await utimes(join(directory, name), 1, 1)
      return `disk ${name}`
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

/** `prefix`: that of our own objects. */
export async function inBucket(prefix = 'holdfast/'): Promise<Bytes & { readonly place: S3Place }> {
  const place = await S3Place.make()
  const begin = async (Key: string): Promise<string> => {
    await place.client.send(new CreateMultipartUploadCommand({ Bucket: place.bucket, Key }))
    return `multipart ${Key}`
  }
  for (const key of ['foreign/a', `${prefix}notes.txt`, `${prefix}uploads/readme`]) await place.put(key, 'mine')
  for (const key of ['foreign/big', `${prefix}big`, `${prefix}files/big`]) await begin(key)
  return {
    place,
    storage: new S3Storage({ client: place.client, bucket: place.bucket, prefix }),
    chunkSize: 5 * 1024 * 1024,
    things: async () => [
      ...(await place.keys()).map((key) => `object ${key}`),
      ...(await place.multipartKeys()).map((key) => `multipart ${key}`),
    ],
    tombstone: (id, fileId) => [`object ${prefix}uploads/${id}/manifest`, `object ${prefix}records/${fileId}`],
    leaveStray: () => begin(`${prefix}files/${nobodysId()}/${nobodysId()}`),
    remove: () => place.leave(),
  }
}

/** Whether a key is but the mark of a look into storage, which goes by itself within a quarter of an hour. */
function isPassing(key: string, ttlMs: number): boolean {
  return key.endsWith(':merge') && ttlMs > 0 && ttlMs <= 15 * 60_000
}

/** Makes a place with things of others in it. */
export async function makeGround(bytesIn: 'file' | 's3', stateIn: 'memory' | 'redis'): Promise<Ground> {
  const bytes = bytesIn === 'file' ? await onDisk() : await inBucket()
  const prefix = `cleanup-${nobodysId()}:`
  const redis = stateIn === 'redis' ? new Redis(redisService().url) : null
  const keys = async (): Promise<string[]> => {
    const all = (await redis?.keys(`${prefix}*`)) ?? []
    const left = await Promise.all(all.map(async (key) => (await redis?.pttl(key)) ?? 0))
    return all.filter((key, at) => !isPassing(key, left[at] ?? 0))
  }
  return {
    ...bytes,
    state: redis === null ? new MemoryState() : new ClockedState({ redis, prefix }),
    redis,
    prefix,
    things: async () => [...(await bytes.things()), ...(await keys()).map((key) => `redis ${key}`)].toSorted(),
    tombstone: (id, fileId) => [
      ...bytes.tombstone(id, fileId),
      ...['upload', 'entries', 'index'].map((name) => `redis ${prefix}{${id}}:${name}`),
      // Ids by the time at which they might have expired: each is dropped then, or when it is forgotten.
      `redis ${prefix}expiry`,
    ],
    remove: async () => {
      redis?.disconnect()
      await bytes.remove()
    },
  }
}
