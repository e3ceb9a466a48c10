import { randomUUID } from 'node:crypto'
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import type { S3Storage } from '../../../../src/storage/s3/index.ts'
import { applyChange, type Manifest, type StoredUpload } from '../../../../src/upload.ts'
import { internalError } from '../../../support/faulty-s3.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import {
  complete,
  expectBytes,
  gather,
  mustLoad,
  putChunk,
  storeAll,
  tailOf,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB
const bytes = testBytes(CHUNK + 1000)
const cancelled = { type: 'ended', status: 'cancelled', at: 9, ofFile: true } as const
const later = () => Date.now() + 600_000

describeWithS3('removing an upload', () => {
  let place: S3Place
  let storage: S3Storage

  beforeEach(async () => {
    place = await S3Place.make()
    storage = await place.open()
  })

  afterEach(() => place.leave())

  const manifestOf = (fields: Partial<Manifest> = {}) =>
    testManifest({ chunkSize: CHUNK, size: bytes.length, ...fields })

  async function begin(fields: Partial<Manifest> = {}): Promise<StoredUpload> {
    const manifest = manifestOf(fields)
    await storage.create(manifest)
    return await mustLoad(storage, manifest.id)
  }

  async function remove(upload: StoredUpload): Promise<void> {
    const { id } = upload.manifest
    await storage.record(id, cancelled)
    await storage.discard(await mustLoad(storage, id))
    await storage.forget(id)
  }

  async function expectNothing(): Promise<void> {
    await storage.close()
    expect(await place.keys()).toEqual([])
    expect(await place.multipartKeys()).toEqual([])
  }

  async function suspend(upload: StoredUpload, n: number, size: number): Promise<void> {
    const tail = bytes.subarray(n * CHUNK, n * CHUNK + size)
    const writer = await storage.beginChunk(upload, n, 0)
    await writer.write([tail])
    await writer.suspend(tailOf(n, tail))
  }

  it('leaves nothing of one that had begun', async () => {
    await remove(await begin())
    const upload = await begin({ size: null })
    await putChunk(storage, upload, bytes, 0)
    await suspend(upload, 1, 10)
    await storage.record(upload.manifest.id, { type: 'length', size: bytes.length, at: 3 })
    await remove(upload)
    await expectNothing()
  })

  it('leaves nothing of one that was finished', async () => {
    for (const size of [0, 1000, bytes.length]) {
      const manifest = manifestOf({ size })
      const done = await complete(storage, await storeAll(storage, manifest, bytes.subarray(0, size)))
      await storage.record(manifest.id, { type: 'digest', sha256: 'a'.repeat(64) })
      await remove(done)
    }
    await expectNothing()
  })

  it('leaves what the application has put under the key since', async () => {
    const own = await place.open({ key: () => 'avatar.png' })
    const manifest = manifestOf({ size: 10 })
    await own.create(manifest)
    await putChunk(own, await mustLoad(own, manifest.id), bytes.subarray(0, 10), 0)
    await place.put('avatar.png', 'a new one')
    await own.record(manifest.id, cancelled)
    await own.discard(await mustLoad(own, manifest.id))
    await own.forget(manifest.id)
    expect(await place.keys()).toEqual(['avatar.png'])
  })

  it('deletes no byte of an upload that is not recorded as gone', async () => {
    const upload = await storeAll(storage, manifestOf(), bytes)
    await expect(storage.discard(upload)).rejects.toMatchObject({ code: 'INTERNAL' })
    const done = await complete(storage, upload)
    await expect(storage.discard(done)).rejects.toMatchObject({ code: 'INTERNAL' })
    expectBytes(await gather(await storage.openFile(done.manifest.fileId, 0, bytes.length)), bytes)
  })

  it('deletes what a writer that came too late left behind, when it is done again', async () => {
    const manifest = manifestOf({ size: 1000 })
    await storage.create(manifest)
    const stale = await mustLoad(storage, manifest.id)
    await storage.record(manifest.id, cancelled)
    await storage.discard(await mustLoad(storage, manifest.id))
    await putChunk(storage, stale, bytes.subarray(0, 1000), 0)
    await suspend(stale, 0, 10)
    await storage.discard(await mustLoad(storage, manifest.id))
    await storage.forget(manifest.id)
    await expectNothing()
  })

  it('lets no chunk in once it is done', async () => {
    const upload = await begin()
    await storage.record(upload.manifest.id, cancelled)
    await storage.discard(await mustLoad(storage, upload.manifest.id))
    await expect(putChunk(storage, upload, bytes, 1)).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED' })
    const done = await complete(storage, await storeAll(storage, manifestOf(), bytes))
    const stale = applyChange({ ...done, status: 'uploading' }, { type: 'touch' })
    await expect(putChunk(storage, stale, bytes, 1)).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
  })

  it('never brings a gone upload back, whatever request of forgetting it fails', async () => {
    const quick = await place.open({ retry: { attempts: 1 } })
    for (let failing = 0; ; failing += 1) {
      const upload = await begin()
      const { id } = upload.manifest
      await suspend(upload, 0, 10)
      await quick.record(id, cancelled)
      const first = place.s3.calls.length
      place.s3.plan = () =>
        place.s3.calls.length - first === failing + 1 ? { when: 'before', error: internalError() } : null
      const failed = await quick.forget(id).then(
        () => false,
        () => true,
      )
      place.s3.plan = () => null
      const left = await (await place.open()).load(id)
      if (left !== null) expect(left).toMatchObject({ status: 'cancelled', endedAt: 9 })
      await quick.forget(id)
      expect(await quick.load(id)).toBeNull()
      if (!failed) break
      expect(failing).toBeLessThan(20)
    }
  })
})

describeWithS3('sweeping', () => {
  let place: S3Place

  beforeEach(async () => {
    place = await S3Place.make()
  })

  afterEach(() => place.leave())

  const begin = (Key: string) =>
    place.client.send(new CreateMultipartUploadCommand({ Bucket: place.bucket, Key, ChecksumAlgorithm: 'SHA256' }))

  it('aborts multipart uploads of ours that no manifest names, once they are old, and no other', async () => {
    const storage = await place.open()
    const manifest = testManifest({ chunkSize: CHUNK, size: CHUNK * 2 })
    await storage.create(manifest)
    const own = `holdfast/files/${manifest.fileId}/${manifest.id}`
    const orphan = `holdfast/files/${randomUUID()}/${randomUUID()}`
    const foreign = ['backup.tar', 'holdfast/other', `holdfast/files/${randomUUID()}`, `files/${orphan.slice(15)}`]
    for (const key of [orphan, own, ...foreign]) await begin(key)
    await storage.sweep(Date.now() - 600_000)
    expect(await place.multipartKeys()).toHaveLength(7)
    await storage.sweep(later())
    expect((await place.multipartKeys()).toSorted()).toEqual([own, ...foreign].toSorted())
    // Of the two under our own key it was the nameless one.
    const upload = await mustLoad(storage, manifest.id)
    await putChunk(storage, upload, testBytes(CHUNK * 2), 0)
  })

  it.each([{ prefix: '' }, { key: (file: { readonly fileId: string }) => `holdfast/files/${file.fileId}` }])(
    'touches no multipart upload where the keys are not ours alone: %o',
    async (choice) => {
      const storage = await place.open(choice)
      const prefix = choice.prefix ?? 'holdfast/'
      await begin(`${prefix}files/${randomUUID()}/${randomUUID()}`)
      await storage.sweep(later())
      expect(await place.multipartKeys()).toHaveLength(1)
    },
  )

  it('deletes what belongs to no upload, and tails that were left behind', async () => {
    const storage = await place.open()
    const manifest = testManifest({ chunkSize: CHUNK, size: null })
    await storage.create(manifest)
    const upload = await mustLoad(storage, manifest.id)
    const tail = bytes.subarray(0, 10)
    const writer = await storage.beginChunk(upload, 0, 0)
    await writer.write([tail])
    await writer.suspend(tailOf(0, tail))
    const tails = async () => (await place.keys()).filter((key) => key.includes('/tail/'))

    const nobody = `holdfast/uploads/${randomUUID()}`
    await place.put(`${nobody}/completing`, '{}')
    await place.put(`${nobody}/tail/0-0-1-x`, 'x')
    await place.put('holdfast/uploads/readme.txt', 'not ours')
    await storage.sweep(Date.now() - 600_000)
    expect((await place.keys()).filter((key) => key.startsWith(nobody))).toHaveLength(2)
    await storage.sweep(later())
    expect((await place.keys()).filter((key) => key.startsWith(nobody))).toEqual([])
    expect(await place.keys()).toContain('holdfast/uploads/readme.txt')
    expect(await tails()).toHaveLength(1)

    // The upload ends, and the tail is left where it was.
    await storage.record(manifest.id, cancelled)
    await storage.sweep(later())
    expect(await tails()).toEqual([])
    expect((await mustLoad(storage, manifest.id)).status).toBe('cancelled')
  })
})
