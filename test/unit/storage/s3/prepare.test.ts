import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import { fromS3Store, S3Storage, type S3Sender, s3ClientOptions } from '../../../../src/storage/s3/index.ts'
import { describeWithS3, s3Service } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import { complete, expectBytes, gather, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'

const DAY_MS = 24 * 60 * 60_000
const retry = { attempts: 2, baseMs: 1 }

describeWithS3('opening a storage', () => {
  let place: S3Place

  beforeEach(async () => {
    place = await S3Place.make()
  })

  afterEach(() => place.leave())

  it('says in one line that there is no such bucket', async () => {
    const storage = new S3Storage({ client: place.client, bucket: 'no-such-bucket', retry })
    await expect(storage.open()).rejects.toThrow(/^There is no bucket "no-such-bucket" in this S3 storage$/)
  })

  it('says in one line that it is not let in', async () => {
    const credentials = { accessKeyId: 'AKTEST', secretAccessKey: 'wrong' }
    const client = new S3Client({ ...s3Service(), credentials })
    const storage = new S3Storage({ client, bucket: place.bucket, retry })
    await expect(storage.open()).rejects.toThrow(/^The S3 storage refuses access to bucket "[^\n]*"$/)
    client.destroy()
  })

  it('says in one line that nobody is there', async () => {
    const client = new S3Client({ ...s3Service(), endpoint: 'http://127.0.0.1:9' })
    const storage = new S3Storage({ client, bucket: 'acme', retry })
    await expect(storage.open()).rejects.toThrow(
      /^The S3 storage of bucket "acme" does not answer: ECONNREFUSED[^\n]*$/,
    )
    client.destroy()
  })

  it('has a sweep remove what it tried, where it could not', async () => {
    const killed: S3Sender = {
      send: (command, options) => {
        if (command instanceof DeleteObjectCommand) throw new Error('killed')
        return place.s3.send(command, options)
      },
    }
    await expect(new S3Storage({ client: killed, bucket: place.bucket, retry }).open()).rejects.toThrow('killed')
    expect(await place.keys()).toHaveLength(1)
    const storage = new S3Storage({ client: place.s3, bucket: place.bucket })
    await storage.open()
    await storage.sweep(Date.now() + DAY_MS)
    expect(await place.keys()).toEqual([])
  })

  it('refuses an S3 that ignores the conditions of a write, unless it is told so', async () => {
    const careless: S3Sender = {
      send: (command, options) => {
        if (!(command instanceof PutObjectCommand)) return place.s3.send(command, options)
        const { IfNoneMatch: _, IfMatch: __, ...input } = command.input
        const { middlewareStack } = command
        return place.s3.send(Object.assign(new PutObjectCommand(input), { middlewareStack }), options)
      },
    }
    const where = { client: careless, bucket: place.bucket, retry }
    await expect(new S3Storage(where).open()).rejects.toThrow(/ignores If-None-Match; set dialect.conditionalWrites/)
    expect(await place.keys()).toEqual([])

    const storage = new S3Storage({ ...where, dialect: { conditionalWrites: false } })
    await storage.open()
    const manifest = testManifest({ chunkSize: 5 * MIB, size: 10 })
    const bytes = testBytes(10)
    const done = await complete(storage, await storeAll(storage, manifest, bytes))
    expect(await storage.create(manifest)).toBe(false)
    expectBytes(await gather(storage.read(done, 0, 10)), bytes)
    await storage.record(manifest.id, { type: 'ended', status: 'cancelled', ofFile: true, at: 3 })
    expect((await storage.load(manifest.id))?.status).toBe('cancelled')
    await storage.close()
  })

  it('is done once, and before anything else', async () => {
    const storage = await place.open()
    await expect(storage.open()).rejects.toThrow('already open')
    const other = new S3Storage({ client: place.client, bucket: place.bucket })
    await expect(other.check()).rejects.toThrow('not open')
  })

  it('is told later that the bucket has gone', async () => {
    const storage = await place.open()
    const gone = new S3Storage({ client: place.client, bucket: place.bucket, retry })
    await gone.open()
    place.client.middlewareStack.add(() => () => Promise.reject(Object.assign(new Error(), { code: 'ECONNREFUSED' })), {
      step: 'finalizeRequest',
      name: 'gone',
    })
    await expect(storage.check()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    place.client.middlewareStack.remove('gone')
    await storage.check()
    await gone.close()
  })
})

describeWithS3('a client', () => {
  let place: S3Place

  beforeEach(async () => {
    place = await S3Place.make()
  })

  afterEach(() => place.leave())

  it('is lent by an S3Store with its bucket and its number of parts', async () => {
    const { bucket } = place
    const options = { s3ClientConfig: { ...s3ClientOptions(), ...s3Service(), bucket }, maxMultipartParts: 500 }
    const storage = new S3Storage({ ...fromS3Store(options), prefix: 'lent/' })
    expect(storage.limits).toEqual({ minChunkSize: 5 * MIB, maxChunkSize: 5 * 1024 * MIB, maxChunks: 500 })
    await storage.open()
    const bytes = testBytes(5 * MIB + 10)
    const manifest = testManifest({ chunkSize: 5 * MIB, size: bytes.length })
    const done = await complete(storage, await storeAll(storage, manifest, bytes))
    expectBytes(await gather(storage.read(done, 0, bytes.length)), bytes)
    await storage.close()
  })

  it('is still its owner’s when the storage is closed', async () => {
    const storage = await place.open()
    await storage.close()
    expect(await place.keys()).toEqual([])
  })
})
