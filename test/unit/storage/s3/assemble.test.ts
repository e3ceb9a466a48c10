import { createHash } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import { Ledger } from '../../../../src/ledger.ts'
import type { S3Storage } from '../../../../src/storage/s3/index.ts'
import { compositeOf, toBase64 } from '../../../../src/storage/s3/sha256.ts'
import { applyChange, type StoredUpload } from '../../../../src/upload.ts'
import { internalError, type S3Fault, s3Error } from '../../../support/faulty-s3.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import {
  chunkOf,
  expectBytes,
  gather,
  mustLoad,
  putChunk,
  sha256,
  storeAll,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB
const bytes = testBytes(CHUNK + 100)
const others = testBytes(CHUNK + 100, 9)

describeWithS3('making the whole object', () => {
  let place: S3Place
  let storage: S3Storage
  let warnings: string[]
  let time: number

  beforeEach(async () => {
    place = await S3Place.make()
    warnings = []
    time = 1_700_000_000_000
    storage = await place.open({ onWarning: (message) => warnings.push(message), now: () => time })
  })

  afterEach(() => place.leave())

  /** An upload with all its chunks, recorded as completing. */
  async function completing(): Promise<StoredUpload> {
    const upload = await storeAll(storage, testManifest({ chunkSize: CHUNK, size: bytes.length }), bytes)
    await storage.record(upload.manifest.id, { type: 'completing' })
    return await mustLoad(storage, upload.manifest.id)
  }

  const keyOf = ({ manifest }: StoredUpload) => `holdfast/files/${manifest.fileId}/${manifest.id}`

  async function multipart(upload: StoredUpload) {
    const { Uploads = [] } = await place.client.send(new ListMultipartUploadsCommand({ Bucket: place.bucket }))
    const UploadId = Uploads.find(({ Key }) => Key === keyOf(upload))?.UploadId
    return { Bucket: place.bucket, Key: keyOf(upload), UploadId }
  }

  /** What another writer does whose lock was lost: overwrites a part. */
  async function overwrite(upload: StoredUpload, n: number, content: Buffer) {
    const checksum = { ChecksumSHA256: toBase64(sha256(content)) }
    const where = await multipart(upload)
    await place.client.send(new UploadPartCommand({ ...where, PartNumber: n + 1, Body: content, ...checksum }))
  }

  /** The upload with this ETag for a chunk. */
  function withEtag(upload: StoredUpload, n: number, etag: string | null): StoredUpload {
    const entries = [...upload.ledger.chunks.values()].map((entry) => {
      if (entry.number !== n) return entry
      const { etag: _, ...rest } = entry
      return etag === null ? rest : { ...rest, etag }
    })
    return { ...upload, ledger: Ledger.of(entries) }
  }

  async function expectFinished(upload: StoredUpload): Promise<void> {
    const { id, fileId } = upload.manifest
    await storage.record(id, { type: 'ended', status: 'uploaded', at: 7 })
    const other = await place.open()
    expect(await mustLoad(other, id)).toMatchObject({ status: 'uploaded', endedAt: 7, size: bytes.length })
    expectBytes(await gather(await other.openFile(fileId, 0, bytes.length)), bytes)
    expect(await place.multipartKeys()).toEqual([])
  }

  it('tells the checksum that S3 has of it', async () => {
    const upload = await completing()
    const { storageChecksum } = await storage.assemble(upload)
    const digests = [0, 1].map((n) => sha256(chunkOf(upload, bytes, n)))
    expect(storageChecksum).toBe(compositeOf(digests))
    expect(await storage.assemble(upload)).toMatchObject({ storageChecksum })
    await expectFinished(upload)
  })

  it('adopts the name that S3 gave the same bytes, where the ledger has another or none', async () => {
    for (const etag of ['"00000000000000000000000000000000"', null]) {
      const upload = await completing()
      await storage.assemble(withEtag(upload, 0, etag))
      await expectFinished(upload)
    }
    expect(warnings).toEqual([])
  })

  it('drops a chunk that S3 has other bytes of, and takes it again', async () => {
    const upload = await completing()
    const { id } = upload.manifest
    await storage.record(id, { type: 'digest', sha256: sha256(bytes) })
    await overwrite(upload, 0, chunkOf(upload, others, 0))
    const missing = { code: 'CHUNKS_MISSING', details: { missing: [[0, 0]] } }
    await expect(storage.assemble(upload)).rejects.toMatchObject(missing)
    expect(warnings).toEqual([expect.stringContaining('chunk 0')])
    expect(await place.keys()).not.toContain(keyOf(upload))

    const reopened = await mustLoad(storage, id)
    expect(reopened).toMatchObject({ status: 'uploading', digest: null })
    expect([...reopened.ledger.chunks.keys()]).toEqual([1])
    await putChunk(storage, reopened, bytes, 0)
    // What was known of the file before may be of other bytes.
    expect(await mustLoad(storage, id)).toMatchObject({ status: 'uploading', digest: null })
    await storage.record(id, { type: 'completing' })
    await storage.assemble(await mustLoad(storage, id))
    await expectFinished(upload)
  })

  it('finds chunks missing that S3 has lost', async () => {
    const upload = await completing()
    await overwrite(upload, 1, Buffer.alloc(0))
    await expect(storage.assemble(upload)).rejects.toMatchObject({
      code: 'CHUNKS_MISSING',
      details: { missing: [[1, 1]] },
    })
  })

  const ambiguous: readonly [string, S3Fault][] = [
    ['fails before it took effect', { when: 'before', error: internalError() }],
    ['fails after it took effect', { when: 'after', error: internalError() }],
    [
      'is cut off after it took effect',
      { when: 'after', error: Object.assign(new Error('cut'), { code: 'ECONNRESET' }) },
    ],
    ['is answered NoSuchUpload after it took effect', { when: 'after', error: s3Error('NoSuchUpload', 404) }],
    ['is answered NoSuchKey after it took effect', { when: 'after', error: s3Error('NoSuchKey', 404) }],
  ]
  it.each(ambiguous)('is done although the request %s', async (_, fault) => {
    const upload = await completing()
    place.s3.failNext('CompleteMultipartUpload', fault)
    await storage.assemble(upload)
    await expectFinished(upload)
  })

  it.each(['before', 'after'] as const)('is done later where every answer fails, %s it took effect', async (when) => {
    const upload = await completing()
    place.s3.plan = ({ name }) => (name === 'CompleteMultipartUpload' ? { when, error: internalError() } : null)
    if (when === 'after') await storage.assemble(upload)
    else await expect(storage.assemble(upload)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    place.s3.plan = () => null
    await storage.assemble(upload)
    await expectFinished(upload)
  })

  it('is done by one of many who try at once, on several nodes', async () => {
    const upload = await completing()
    const nodes = [storage, await place.open(), await place.open()]
    await Promise.all(nodes.map((node) => node.assemble(upload)))
    await expectFinished(upload)
  })

  it('is taken up where a kill came between the object and its record', async () => {
    const upload = await completing()
    await storage.assemble(upload)
    const other = await place.open()
    const loaded = await mustLoad(other, upload.manifest.id)
    expect(loaded.status).toBe('completing')
    for (const n of [0, 1]) expect(loaded.ledger.chunks.get(n)?.sha256).toBe(sha256(chunkOf(upload, bytes, n)))
    await other.assemble(loaded)
    await expectFinished(upload)
  })

  it('takes no object for the file that somebody else has put there', async () => {
    const upload = await completing()
    await place.put(keyOf(upload), bytes)
    await place.put(`${keyOf(upload)}x`, bytes, { 'holdfast-upload': upload.manifest.id })
    place.s3.plan = ({ name }) =>
      name === 'CompleteMultipartUpload' ? { when: 'before', error: internalError() } : null
    await expect(storage.assemble(upload)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    place.s3.plan = () => null
    await storage.assemble(upload)
    await expectFinished(upload)
  })

  it('never makes the file of other bytes than the ledger says', async () => {
    const upload = await completing()
    await overwrite(upload, 1, chunkOf(upload, others, 1))
    const where = await multipart(upload)
    // Another server completes what the bucket has.
    const parts = [chunkOf(upload, bytes, 0), chunkOf(upload, others, 1)].map((chunk, index) => ({
      PartNumber: index + 1,
      ETag: etagOf(chunk),
      ChecksumSHA256: toBase64(sha256(chunk)),
    }))
    await place.client.send(new CompleteMultipartUploadCommand({ ...where, MultipartUpload: { Parts: parts } }))
    await expect(storage.assemble(upload)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(await storage.files.get(upload.manifest.fileId)).toBeNull()
  })

  it('has failed when neither parts nor object are seen twice, a minute apart', async () => {
    const upload = await completing()
    const { id } = upload.manifest
    await place.client.send(new AbortMultipartUploadCommand(await multipart(upload)))
    await expect(storage.assemble(upload)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    time += 59_000
    await expect(storage.assemble(upload)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(storage.load(id)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(warnings).toHaveLength(1)
    time += 2_000
    await expect(storage.assemble(upload)).rejects.toMatchObject({ code: 'UPLOAD_FAILED' })
    expect(await mustLoad(storage, id)).toMatchObject({ status: 'failed', endedAt: time })
    const chunk = applyChange({ ...upload, status: 'uploading' }, { type: 'touch' })
    await expect(putChunk(storage, chunk, bytes, 0)).rejects.toMatchObject({ code: 'UPLOAD_FAILED' })
  })
})

/** What Ceph and AWS call these bytes. */
function etagOf(content: Buffer): string {
  return `"${createHash('md5').update(content).digest('hex')}"`
}
