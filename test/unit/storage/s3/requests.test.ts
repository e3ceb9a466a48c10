import { S3Client } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import type { FileRecord } from '../../../../src/files.ts'
import { S3Storage } from '../../../../src/storage/s3/index.ts'
import { applyChange, type Manifest, newUpload, type StoredUpload } from '../../../../src/upload.ts'
import { S3Place } from '../../../support/s3-place.ts'
import { describeWithS3, s3Service } from '../../../support/services/s3.ts'
import { chunkOf, entryOf, mustLoad, putChunk, testBytes, testManifest } from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB

function recordOf({ manifest, size }: StoredUpload): FileRecord {
  const { id, fileId, owner, fileName, contentType, metadata } = manifest
  const checksum = null
  return {
    id: fileId,
    uploadId: id,
    owner,
    name: fileName,
    size: size ?? 0,
    contentType,
    metadata,
    uploadedAt: 5,
    checksum,
  }
}

describeWithS3('the requests to S3', () => {
  let place: S3Place
  let storage: S3Storage

  beforeEach(async () => {
    place = await S3Place.make()
    storage = await place.open()
    place.s3.calls.length = 0
  })

  afterEach(() => place.leave())

  /** Takes an upload through the calls that the core makes for it, as far as they are told of here. */
  async function live(manifest: Manifest, bytes: Buffer): Promise<StoredUpload> {
    const { id, fileId } = manifest
    await storage.create(manifest)
    let upload = newUpload(manifest)
    for (let n = 0; n * manifest.chunkSize < bytes.length; n += 1) {
      const chunk = chunkOf(upload, bytes, n)
      const writer = await storage.beginChunk(upload, n, 0)
      await writer.write([chunk])
      upload = applyChange(upload, { type: 'chunk', entry: await writer.finish(entryOf(n, chunk)) })
    }
    await storage.record(id, { type: 'completing' })
    upload = applyChange(upload, { type: 'completing' })
    await storage.assemble(upload)
    await storage.files.put(recordOf(upload))
    await storage.record(id, { type: 'ended', status: 'uploaded', at: 5 })
    expect(await storage.files.get(fileId)).toEqual(recordOf(upload))
    return upload
  }

  it('are three for a file of one chunk', async () => {
    await live(testManifest({ chunkSize: CHUNK, size: 1000 }), testBytes(1000))
    expect(place.s3.names()).toEqual(['PutObject', 'PutObject', 'PutObject'])
  })

  it('are three for a file of 0 bytes', async () => {
    await live(testManifest({ chunkSize: CHUNK, size: 0 }), Buffer.alloc(0))
    expect(place.s3.names()).toEqual(['PutObject', 'PutObject', 'PutObject'])
  })

  it('are five and its parts for a larger file', async () => {
    const bytes = testBytes(CHUNK * 2 + 7)
    await live(testManifest({ chunkSize: CHUNK, size: bytes.length }), bytes)
    expect(place.s3.names()).toEqual([
      'CreateMultipartUpload',
      'PutObject',
      ...Array.from({ length: 3 }, () => 'UploadPart'),
      'PutObject',
      'CompleteMultipartUpload',
      'PutObject',
    ])
  })

  it('is one for a chunk', async () => {
    const bytes = testBytes(CHUNK + 1)
    const manifest = testManifest({ chunkSize: CHUNK, size: bytes.length })
    await storage.create(manifest)
    const upload = await mustLoad(storage, manifest.id)
    const before = place.s3.calls.length
    await putChunk(storage, upload, bytes, 1)
    expect(place.s3.names(before)).toEqual(['UploadPart'])
  })

  it('are two for an upload that has ended, however it is looked at', async () => {
    const bytes = testBytes(CHUNK + 1)
    const done = await live(testManifest({ chunkSize: CHUNK, size: bytes.length }), bytes)
    await storage.record(done.manifest.id, { type: 'digest', sha256: 'a'.repeat(64) })
    const other = await place.open()
    const before = place.s3.calls.length
    const loaded = await mustLoad(other, done.manifest.id)
    expect(place.s3.names(before)).toEqual(['GetObject', 'GetObject'])
    expect(loaded).toMatchObject({ status: 'uploaded', size: bytes.length, endedAt: 5, digest: 'a'.repeat(64) })
    expect([...loaded.ledger.chunks.keys()]).toEqual([0, 1])
  })

  it('carry a chunk as it is, signed over the digest that is known', async () => {
    const wire: { readonly method: unknown; readonly headers: Record<string, string> }[] = []
    place.client.middlewareStack.add(
      (next) => (args) => {
        const { method, headers } = args.request as (typeof wire)[number]
        wire.push({ method, headers })
        return next(args)
      },
      { step: 'deserialize', priority: 'low', name: 'wire' },
    )
    const bytes = testBytes(CHUNK + 9)
    const manifest = testManifest({ chunkSize: CHUNK, size: bytes.length })
    await storage.create(manifest)
    wire.length = 0
    const entry = await putChunk(storage, await mustLoad(storage, manifest.id), bytes, 0)
    const { method, headers } = wire.at(-1) ?? { method: null, headers: {} }
    expect(method).toBe('PUT')
    expect(headers).toMatchObject({
      'content-length': `${CHUNK}`,
      'x-amz-content-sha256': entry.sha256,
      'x-amz-checksum-sha256': Buffer.from(entry.sha256, 'hex').toString('base64'),
    })
    const names = Object.keys(headers).map((name) => name.toLowerCase())
    for (const name of ['expect', 'transfer-encoding', 'x-amz-trailer', 'content-encoding']) {
      expect(names).not.toContain(name)
    }
  })

  it('carry a chunk with a client that computes checksums of its own and tries again by itself', async () => {
    const client = new S3Client(s3Service())
    const plain = new S3Storage({ client, bucket: place.bucket })
    await plain.open()
    const bytes = testBytes(CHUNK + 9)
    const manifest = testManifest({ chunkSize: CHUNK, size: bytes.length })
    await plain.create(manifest)
    const upload = await mustLoad(plain, manifest.id)
    for (const n of [1, 0]) await putChunk(plain, upload, bytes, n)
    expect((await mustLoad(plain, manifest.id)).ledger.run).toBe(2)
    await plain.close()
    client.destroy()
  })
})
