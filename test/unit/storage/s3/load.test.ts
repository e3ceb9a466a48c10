import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import type { S3Storage } from '../../../../src/storage/s3/index.ts'
import { toBase64 } from '../../../../src/storage/s3/sha256.ts'
import { gridOf, type Manifest } from '../../../../src/upload.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import {
  chunkOf,
  expectBytes,
  gather,
  mustLoad,
  putChunk,
  sha256,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB

describeWithS3('loading an upload', () => {
  let place: S3Place
  let storage: S3Storage

  beforeEach(async () => {
    place = await S3Place.make()
    storage = await place.open()
  })

  afterEach(() => place.leave())

  async function begin(fields: Partial<Manifest>) {
    const manifest = testManifest({ chunkSize: CHUNK, ...fields })
    await storage.create(manifest)
    const { Uploads = [] } = await place.client.send(new ListMultipartUploadsCommand({ Bucket: place.bucket }))
    const [begun] = Uploads
    const part = { Bucket: place.bucket, Key: begun?.Key ?? '', UploadId: begun?.UploadId ?? '' }
    return { upload: await mustLoad(storage, manifest.id), part }
  }

  /** Stores all chunks of a file, many at a time. */
  async function storeMany(bytes: Buffer, chunkSize: number) {
    const { upload, part } = await begin({ chunkSize, size: bytes.length })
    const numbers = Array.from({ length: Math.ceil(bytes.length / chunkSize) }, (_, n) => n).values()
    const work = async () => {
      for (const n of numbers) await putChunk(storage, upload, bytes, n)
    }
    await Promise.all(Array.from({ length: 16 }, work))
    return { upload, part }
  }

  it('finds more parts than one answer tells', async () => {
    // S3 minds the size of a part only when the object is made of it.
    const bytes = testBytes(10 * 1005 + 3)
    const { upload } = await storeMany(bytes, 10)
    const before = place.s3.calls.length
    const { ledger } = await mustLoad(storage, upload.manifest.id)
    expect(place.s3.names(before).filter((name) => name === 'ListParts')).toHaveLength(2)
    expect(ledger.isFull(gridOf(upload))).toBe(true)
    expect(ledger.chunks.get(1005)).toMatchObject({ size: 3, sha256: sha256(bytes.subarray(10_050)) })
  }, 60_000)

  it('trusts no part of another size, or without a SHA-256', async () => {
    const bytes = testBytes(CHUNK * 3)
    const { upload, part } = await begin({ size: bytes.length })
    await putChunk(storage, upload, bytes, 1)
    const short = bytes.subarray(0, 100)
    const checksum = { ChecksumSHA256: toBase64(sha256(short)) }
    await place.client.send(new UploadPartCommand({ ...part, PartNumber: 1, Body: short, ...checksum }))
    await place.client.send(new UploadPartCommand({ ...part, PartNumber: 4, Body: short, ...checksum }))
    expect([...(await mustLoad(storage, upload.manifest.id)).ledger.chunks.keys()]).toEqual([1])

    const blind = await place.open({ dialect: { checksums: false } })
    const other = testManifest({ chunkSize: CHUNK, size: bytes.length })
    await blind.create(other)
    const entry = await putChunk(blind, await mustLoad(blind, other.id), bytes, 0)
    expect(entry.sha256).toBe(sha256(chunkOf(upload, bytes, 0)))
    expect((await mustLoad(blind, other.id)).ledger.durableBytes).toBe(0)
  })

  it('writes the chunks of a large file down before they are one object, and finds them then', async () => {
    const bytes = testBytes(10 * 300)
    const { upload, part } = await storeMany(bytes, 10)
    const { id, fileId } = upload.manifest
    await storage.record(id, { type: 'completing' })
    // This S3 makes no object of parts so small. It is put there as it would be.
    await expect(storage.assemble(await mustLoad(storage, id))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    await place.client.send(new AbortMultipartUploadCommand(part))
    await place.put(part.Key, bytes, { 'holdfast-upload': id })

    const killed = await place.open()
    const before = place.s3.calls.length
    const completing = await mustLoad(killed, id)
    expect(completing.status).toBe('completing')
    expect(completing.ledger.isFull(gridOf(completing))).toBe(true)
    expect(place.s3.calls.slice(before).filter(({ input }) => input['Key'] === part.Key && 'Range' in input)).toEqual(
      [],
    )
    await killed.assemble(completing)
    await killed.record(id, { type: 'ended', status: 'uploaded', at: 6 })
    const done = await mustLoad(await place.open(), id)
    expect(done).toMatchObject({ status: 'uploaded', size: bytes.length })
    for (const n of [0, 150, 299]) {
      expect(done.ledger.chunks.get(n)?.sha256).toBe(sha256(bytes.subarray(n * 10, n * 10 + 10)))
    }
    expectBytes(await gather(await killed.openFile(fileId, 0, bytes.length)), bytes)
  })

  it('takes a manifest of a newer version for somebody else’s', async () => {
    const { upload } = await begin({ size: 10 })
    const { id } = upload.manifest
    await place.put(`holdfast/uploads/${id}/manifest`, JSON.stringify({ manifest: { ...upload.manifest, version: 2 } }))
    await expect(storage.load(id)).rejects.toThrow('version')
    await place.put(`holdfast/uploads/${id}/manifest`, 'no JSON')
    await expect(storage.load(id)).rejects.toThrow('cannot be read')
  })
})
