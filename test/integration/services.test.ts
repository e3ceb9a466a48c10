import { createHash } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { isRunning } from '../support/services/mortal-process.ts'
import { describeWithOwnRedis, startRedis, startRedisCluster } from '../support/services/own-redis.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import type { RedisCluster } from '../support/services/redis-cluster.ts'
import { describeWithS3, newBucket, s3Service } from '../support/services/s3.ts'

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64')

/** A client that is gone when the test has finished. */
function client(url: string): Redis {
  const redis = new Redis(url)
  // Servers are killed under it.
  redis.on('error', () => undefined)
  onTestFinished(() => redis.disconnect())
  return redis
}

describeWithRedis('the Redis of the run', () => {
  it('answers, and is 7 or newer', async () => {
    const redis = client(redisService().url)
    await expect(redis.ping()).resolves.toBe('PONG')
    const [, major] = /redis_version:(\d+)\./.exec(await redis.info('server')) ?? []
    expect(Number(major)).toBeGreaterThanOrEqual(7)
  })
})

describeWithOwnRedis('a Redis of a test’s own', () => {
  it('keeps what it has answered, when it is killed and brought back', async () => {
    const server = await startRedis({ appendonly: true })
    onTestFinished(() => server.stop())
    const { pid, url } = server
    await expect(client(url).set('key', 'value')).resolves.toBe('OK')
    await server.kill()
    expect(isRunning(pid)).toBe(false)
    await server.restart()
    expect(server.pid).not.toBe(pid)
    await expect(client(url).get('key')).resolves.toBe('value')
    await server.restart({ keepData: false })
    await expect(client(url).get('key')).resolves.toBeNull()
  })

  it('can be a replica', async () => {
    const master = await startRedis({ config: { 'repl-diskless-sync-delay': '0' } })
    onTestFinished(() => master.stop())
    const replica = await startRedis({ replicaOf: master })
    onTestFinished(() => replica.stop())
    await expect.poll(() => client(replica.url).info('replication')).toContain('master_link_status:up')
    await client(master.url).set('key', 'value')
    await expect.poll(() => client(replica.url).get('key')).toBe('value')
  })
})

describeWithOwnRedis('a Redis Cluster', () => {
  let cluster: RedisCluster

  beforeAll(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 1000 })
  }, 60_000)
  afterAll(() => cluster.stop())

  it('has six nodes and serves every slot', async () => {
    const any = client(cluster.replicas[0]?.url ?? '')
    const ranges = (await any.cluster('SLOTS')) as [number, number, ...unknown[]][]
    expect(ranges.map(([from, to]) => [from, to]).toSorted(([a], [b]) => Number(a) - Number(b))).toEqual([
      [0, 5460],
      [5461, 10_921],
      [10_922, 16_383],
    ])
    for (const range of ranges) expect(range).toHaveLength(4)
  })

  it('has a replica take over from a master that is killed, and finds it as a replica when it is back', async () => {
    const [master, replica] = [cluster.masters[0]!, cluster.replicas[0]!]
    const heir = client(replica.url)
    await master.kill()
    await expect.poll(() => heir.role(), { timeout: 20_000 }).toContain('master')
    await master.restart()
    await expect.poll(() => heir.info('replication')).toContain('connected_slaves:1')
    await expect.poll(() => heir.cluster('INFO')).toContain('cluster_state:ok')
  }, 40_000)

  it('answers for keys of every master', async () => {
    const redis = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
    onTestFinished(() => redis.disconnect())
    const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`)
    await Promise.all(keys.map((key) => redis.set(key, key)))
    await expect(Promise.all(keys.map((key) => redis.get(key)))).resolves.toEqual(keys)
    const sizes = await Promise.all(redis.nodes('master').map((node) => node.dbsize()))
    expect(sizes).toHaveLength(3)
    expect(sizes.every((size) => size > 0)).toBe(true)
    expect(sizes.reduce((sum, size) => sum + size)).toBe(keys.length)
  })
})

describeWithS3('the S3 of the run', () => {
  let s3: S3Client
  let Bucket: string

  beforeAll(async () => {
    s3 = new S3Client(s3Service())
    Bucket = await newBucket()
  })
  afterAll(() => s3.destroy())

  it('gives back what is put', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'object', Body: 'hello' }))
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'object' }))
    await expect(Body?.transformToString()).resolves.toBe('hello')
  })

  it('does not put over an object that has to be new', async () => {
    const put = (Body: string) => s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body, IfNoneMatch: '*' }))
    await put('first')
    await expect(put('second')).rejects.toMatchObject({
      name: 'PreconditionFailed',
      $metadata: { httpStatusCode: 412 },
    })
  })

  it('lists the digests of parts, and makes one object of them', async () => {
    const Key = 'parts'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'SHA256' }))
    const parts = [Buffer.alloc(5 * 1024 * 1024, 'a'), Buffer.from('b')]
    await Promise.all(
      parts.map((Body, index) =>
        s3.send(
          new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: index + 1, Body, ChecksumAlgorithm: 'SHA256' }),
        ),
      ),
    )
    const { Parts = [] } = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId }))
    expect(Parts.map(({ ChecksumSHA256 }) => ChecksumSHA256)).toEqual(parts.map(digest))
    const listed = Parts.map(({ ETag, PartNumber, ChecksumSHA256 }) => ({ ETag, PartNumber, ChecksumSHA256 }))
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: listed } }))
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
    await expect(Body?.transformToByteArray()).resolves.toHaveLength(5 * 1024 * 1024 + 1)
  })
})
