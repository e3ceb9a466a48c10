import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import type { FileToStore, S3Storage } from '../../../../src/storage/s3/index.ts'
import type { Manifest, StoredUpload } from '../../../../src/upload.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place, type StorageChoice } from '../../../support/s3-place.ts'
import {
  complete,
  entryOf,
  expectBytes,
  gather,
  mustLoad,
  putChunk,
  sha256,
  storeAll,
  tailOf,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB

describeWithS3('the objects in the bucket', () => {
  let place: S3Place

  beforeEach(async () => {
    place = await S3Place.make()
  })

  afterEach(() => place.leave())

  const head = (Key: string) => place.client.send(new HeadObjectCommand({ Bucket: place.bucket, Key }))

  async function finish(choice: StorageChoice, fields: Partial<Manifest>, bytes: Buffer): Promise<StoredUpload> {
    const storage = await place.open(choice)
    return await complete(storage, await storeAll(storage, testManifest({ chunkSize: CHUNK, ...fields }), bytes))
  }

  it.each([1000, CHUNK, CHUNK + 1000])('tell of a file of %i bytes what it is, and whose', async (size) => {
    const bytes = testBytes(size)
    const fields = { size, fileName: 'Übung 7.mp4', contentType: 'video/mp4; codecs="avc1"' }
    const { manifest } = await finish({}, fields, bytes)
    const key = `holdfast/files/${manifest.fileId}/${manifest.id}`
    expect(await head(key)).toMatchObject({
      ContentLength: size,
      ContentType: fields.contentType,
      ContentDisposition: `attachment; filename="_bung 7.mp4"; filename*=UTF-8''%C3%9Cbung%207.mp4`,
      Metadata: {
        'holdfast-upload': manifest.id,
        'holdfast-file': manifest.fileId,
        filename: '%C3%9Cbung%207.mp4',
      },
    })
    expectBytes(await place.get(key), bytes)
  })

  it('all begin with the prefix', async () => {
    const { manifest } = await finish({ prefix: 'a/b/' }, { size: 10 }, testBytes(10))
    const { id, fileId } = manifest
    expect(await place.keys()).toEqual([
      `a/b/files/${fileId}/${id}`,
      `a/b/records/${fileId}`,
      `a/b/uploads/${id}/manifest`,
    ])
  })

  it('stand side by side under two prefixes, also under none', async () => {
    const one = await finish({ prefix: '' }, { size: 10 }, testBytes(10))
    const other = await finish({ prefix: 'x/' }, { size: 10 }, testBytes(10))
    const storage = await place.open({ prefix: '' })
    expect(await storage.load(other.manifest.id)).toBeNull()
    expect((await mustLoad(storage, one.manifest.id)).status).toBe('uploaded')
    const listed: string[] = []
    for await (const id of storage.list()) listed.push(id)
    expect(listed).toEqual([one.manifest.id])
  })

  it.each([10, CHUNK + 10])('take the key that the application gives a file of %i bytes, asked once', async (size) => {
    const asked: FileToStore[] = []
    const key = (file: FileToStore) => {
      asked.push(file)
      return `of/${file.owner}/${file.fileId} ü?&+.mp4`
    }
    const bytes = testBytes(size)
    const { manifest } = await finish({ key }, { size }, bytes)
    expectBytes(await place.get(`of/someone/${manifest.fileId} ü?&+.mp4`), bytes)
    // A node with another idea of keys finds it all the same.
    const other = await place.open()
    expectBytes(await gather(await other.openFile(manifest.fileId, 0, size)), bytes)
    const { id, fileId, owner, fileName, contentType, metadata } = manifest
    expect(asked).toEqual([{ fileId, uploadId: id, owner, fileName, contentType, size, metadata }])
  })

  it.each(['', 'x'.repeat(1025), 'holdfast/uploads/x', 'holdfast/records/x', 7])(
    'are not made where the application gives the key %j',
    async (made) => {
      const storage = await place.open({ key: () => made as string })
      await expect(storage.create(testManifest({ chunkSize: CHUNK, size: CHUNK * 2 }))).rejects.toThrow('key()')
      expect(await place.keys()).toEqual([])
      expect(await place.multipartKeys()).toEqual([])
    },
  )

  it('are one empty file for an upload of 0 bytes, declared at once or later', async () => {
    const declared = await finish({}, { size: 0 }, Buffer.alloc(0))
    const storage = await place.open()
    const manifest = testManifest({ chunkSize: CHUNK, size: null })
    await storage.create(manifest)
    await storage.record(manifest.id, { type: 'length', size: 0, at: 3 })
    const deferred = await complete(storage, await mustLoad(storage, manifest.id))
    expect(await place.multipartKeys()).toEqual([])
    for (const { id, fileId } of [declared.manifest, deferred.manifest]) {
      expect(await head(`holdfast/files/${fileId}/${id}`)).toMatchObject({
        ContentLength: 0,
        ContentType: 'video/mp4',
        Metadata: { 'holdfast-upload': id },
      })
      expect(await gather(await storage.openFile(fileId, 0, 0))).toHaveLength(0)
    }
  })

  it('are a file of one part where a deferred length fits one chunk', async () => {
    const storage = await place.open()
    const bytes = testBytes(70)
    const manifest = testManifest({ chunkSize: CHUNK, size: null })
    await storage.create(manifest)
    const writer = await storage.beginChunk(await mustLoad(storage, manifest.id), 0, 0)
    await writer.write([bytes])
    await writer.suspend(tailOf(0, bytes))
    await storage.record(manifest.id, { type: 'length', size: bytes.length, at: 3 })
    const other = await place.open()
    const done = await complete(other, await mustLoad(other, manifest.id))
    expectBytes(await gather(other.read(done, 0, bytes.length)), bytes)
    await other.close()
    expect((await place.keys()).filter((key) => key.includes('/tail/'))).toEqual([])
  })

  it('are of one upload, however often its id is created', async () => {
    const storage = await place.open()
    const manifest = testManifest({ chunkSize: CHUNK, size: CHUNK * 2 })
    const nodes = [storage, await place.open(), storage]
    const made = await Promise.all(nodes.map((node) => node.create(manifest)))
    expect(made.filter(Boolean)).toHaveLength(1)
    for (const node of nodes) await node.close()
    expect(await place.multipartKeys()).toHaveLength(1)
    const other = await place.open()
    await putChunk(other, await mustLoad(other, manifest.id), testBytes(CHUNK * 2), 1)
  })

  it('let a file of one chunk replace what the application left under its key, and never another chunk', async () => {
    const key = () => 'avatar.png'
    await place.put('avatar.png', 'an older one')
    const storage = await place.open({ key })
    const manifest = testManifest({ chunkSize: CHUNK, size: 10 })
    await storage.create(manifest)
    const upload = await mustLoad(storage, manifest.id)
    expect(upload.ledger.durableBytes).toBe(0)
    const bytes = testBytes(10)
    const entry = await putChunk(storage, upload, bytes, 0)
    expectBytes(await place.get('avatar.png'), bytes)

    // A writer whose lock was lost comes with the same bytes, then with others.
    const again = await putChunk(storage, upload, bytes, 0)
    expect(again.sha256).toBe(entry.sha256)
    await expect(putChunk(storage, upload, testBytes(10, 2), 0)).rejects.toMatchObject({ code: 'CHUNK_CONFLICT' })
    expectBytes(await place.get('avatar.png'), bytes)
  })

  it('are refused by S3 when the bytes are not those of the digest', async () => {
    for (const size of [10, CHUNK + 10]) {
      const storage = await place.open({ retry: { attempts: 1 } })
      const manifest = testManifest({ chunkSize: CHUNK, size })
      await storage.create(manifest)
      const upload = await mustLoad(storage, manifest.id)
      const chunk = testBytes(Math.min(size, CHUNK))
      const writer = await storage.beginChunk(upload, 0, 0)
      await writer.write([chunk])
      const wrong = { ...entryOf(0, chunk), sha256: sha256(Buffer.from('others')) }
      await expect(writer.finish(wrong)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      expect((await mustLoad(storage, manifest.id)).ledger.durableBytes).toBe(0)
    }
  })
})

describeWithS3('a storage that is opened', () => {
  let place: S3Place

  beforeEach(async () => {
    place = await S3Place.make()
  })

  afterEach(() => place.leave())

  it('leaves nothing behind of what it tried', async () => {
    const storage: S3Storage = await place.open()
    await storage.check()
    expect(await place.keys()).toEqual([])
  })
})
