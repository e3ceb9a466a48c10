import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, it, onTestFinished } from 'vitest'
import { S3Storage, s3ClientOptions } from '../../../../src/storage/s3/index.ts'
import { compositeOf } from '../../../../src/storage/s3/sha256.ts'
import { FaultyS3 } from '../../../support/faulty-s3.ts'
import { LEAST_PART, startCephOfSmallParts } from '../../../support/s3-proxy-ceph.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { chunkOf, gather, mustLoad, sha256, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'

const PARTS = 60

/** A storage on an S3 that reads requests of so many bytes; with its checksums a part takes 170 in the list, without 100. */
async function storageOn(longestRequest: number) {
  const ceph = await startCephOfSmallParts({ longestRequest })
  onTestFinished(() => ceph.stop())
  const client = new S3Client({ ...s3ClientOptions(), ...ceph.service })
  onTestFinished(() => client.destroy())
  await client.send(new CreateBucketCommand({ Bucket: 'many-parts' }))
  const s3 = new FaultyS3(client)
  const storage = new S3Storage({ client: s3, bucket: 'many-parts', dialect: { minPartSize: LEAST_PART } })
  await storage.open()
  onTestFinished(() => storage.close())
  return { storage, s3 }
}

describeWithS3('an upload of many parts', () => {
  it('is made an object though S3 does not read a list of them with their checksums', { timeout: 60_000 }, async () => {
    const { storage, s3 } = await storageOn(8 * 1024)
    const bytes = testBytes(PARTS * LEAST_PART)
    const upload = await storeAll(storage, testManifest({ chunkSize: LEAST_PART, size: bytes.length }), bytes)
    await storage.record(upload.manifest.id, { type: 'completing' })
    const completing = await mustLoad(storage, upload.manifest.id)
    const digests = Array.from({ length: PARTS }, (_, number) => sha256(chunkOf(upload, bytes, number)))
    expect(await storage.assemble(completing)).toMatchObject({ storageChecksum: compositeOf(digests) })
    expect(s3.names().filter((name) => name === 'CompleteMultipartUpload')).toHaveLength(2)
    await storage.record(upload.manifest.id, { type: 'ended', status: 'uploaded', at: 1 })
    expect(await gather(storage.read(await mustLoad(storage, upload.manifest.id), 0, bytes.length))).toEqual(bytes)
  })

  it('stays what it is where S3 reads no list of them at all', { timeout: 60_000 }, async () => {
    const { storage } = await storageOn(2 * 1024)
    const bytes = testBytes(PARTS * LEAST_PART)
    const upload = await storeAll(storage, testManifest({ chunkSize: LEAST_PART, size: bytes.length }), bytes)
    await storage.record(upload.manifest.id, { type: 'completing' })
    await expect(storage.assemble(await mustLoad(storage, upload.manifest.id))).rejects.toMatchObject({ status: 500 })
    expect(await mustLoad(storage, upload.manifest.id)).toMatchObject({ status: 'completing' })
  })
})
