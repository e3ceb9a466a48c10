import { afterEach, beforeEach, expect, it } from 'vitest'
import type { FileRecord } from '../../../../src/files.ts'
import { MIB } from '../../../../src/grid.ts'
import type { S3Storage } from '../../../../src/storage/s3/index.ts'
import type { GoneStatus, StoredUpload } from '../../../../src/upload.ts'
import { internalError } from '../../../support/faulty-s3.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import { complete, mustLoad, sha256, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB
const bytes = testBytes(1000)

const ended = (status: GoneStatus, ofFile = false) =>
  ({ type: 'ended', status, at: 9, ...(ofFile ? { ofFile } : {}) }) as const
const uploaded = { type: 'ended', status: 'uploaded', at: 9 } as const

function recordOf({ manifest, size }: StoredUpload, checksum: string | null = null): FileRecord {
  const { id, fileId, owner, fileName, contentType, metadata } = manifest
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

describeWithS3('the end of an upload', () => {
  let place: S3Place
  let one: S3Storage
  let other: S3Storage

  beforeEach(async () => {
    place = await S3Place.make()
    one = await place.open()
    other = await place.open()
  })

  afterEach(() => place.leave())

  const begun = () => storeAll(one, testManifest({ chunkSize: CHUNK, size: bytes.length }), bytes)

  it('is one, whichever of two nodes believes what', async () => {
    for (let time = 0; time < 10; time += 1) {
      const upload = await begun()
      const { id, fileId } = upload.manifest
      const made = one.files.put(recordOf(upload)).then(
        () => 'uploaded',
        () => 'refused',
      )
      const cancelled = other.record(id, ended('failed')).then(
        () => 'failed',
        () => 'refused',
      )
      const outcomes = await Promise.all([made, cancelled])
      const { status } = await mustLoad(one, id)
      expect(outcomes.filter((outcome) => outcome !== 'refused')).toEqual([status])
      expect((await mustLoad(other, id)).status).toBe(status)
      const third = await place.open()
      expect((await third.files.get(fileId)) !== null).toBe(status === 'uploaded')
    }
  })

  it('is not replaced by one that comes too late', async () => {
    const done = await begun()
    const { id } = done.manifest
    await one.files.put(recordOf(done))
    for (const status of ['failed', 'expired'] as const) {
      await expect(other.record(id, ended(status))).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
    }
    expect((await mustLoad(other, id)).status).toBe('uploaded')

    const gone = await begun()
    await other.record(gone.manifest.id, ended('expired'))
    await expect(one.record(gone.manifest.id, ended('cancelled'))).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' })
    await expect(one.record(gone.manifest.id, uploaded)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' })
    await expect(one.files.put(recordOf(gone))).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' })
    expect((await mustLoad(one, gone.manifest.id)).status).toBe('expired')
  })

  it('may be recorded again', async () => {
    const upload = await begun()
    await one.record(upload.manifest.id, ended('cancelled'))
    await one.record(upload.manifest.id, { ...ended('cancelled'), at: 20 })
    await other.record(upload.manifest.id, ended('cancelled'))
    expect((await mustLoad(one, upload.manifest.id)).endedAt).toBe(9)
  })

  it.each(['cancelled', 'expired'] as const)(
    'of a finished file is %s where the file is meant, and no record brings it back',
    async (status) => {
      const upload = await begun()
      const { id, fileId } = upload.manifest
      await one.files.put(recordOf(upload))
      await expect(other.record(id, ended(status))).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
      await other.record(id, ended(status, true))
      // This node has written the record itself, and has not heard of its end.
      await expect(one.files.put(recordOf(upload, sha256(bytes)))).rejects.toMatchObject({
        code: status === 'cancelled' ? 'UPLOAD_CANCELLED' : 'UPLOAD_EXPIRED',
      })
      expect(await one.files.get(fileId)).toBeNull()
      expect((await mustLoad(one, id)).status).toBe(status)
    },
  )

  it('takes the checksum of the file when it is known, wherever that is', async () => {
    const here = await begun()
    await one.files.put(recordOf(here))
    await one.record(here.manifest.id, { type: 'digest', sha256: sha256(bytes) })
    expect((await other.files.get(here.manifest.fileId))?.checksum).toBe(sha256(bytes))

    const there = await begun()
    await one.files.put(recordOf(there))
    await other.record(there.manifest.id, { type: 'digest', sha256: sha256(bytes) })
    const third = await place.open()
    expect((await mustLoad(third, there.manifest.id)).digest).toBe(sha256(bytes))
    await third.files.put(recordOf(there, sha256(bytes)))
    expect(await third.files.get(there.manifest.fileId)).toEqual(recordOf(there, sha256(bytes)))
    expect((await mustLoad(one, there.manifest.id)).endedAt).toBe(5)
  })

  it('stays when the record of its file is taken away', async () => {
    const upload = await begun()
    const { id, fileId } = upload.manifest
    await one.files.put(recordOf(upload))
    await one.files.remove(fileId)
    expect(await other.files.get(fileId)).toBeNull()
    expect((await mustLoad(other, id)).status).toBe('uploaded')
  })

  it('is known for ours although the answer to its record was lost', async () => {
    const upload = await begun()
    const { id, fileId } = upload.manifest
    place.s3.failNext('PutObject', { when: 'after', error: internalError() })
    await one.files.put(recordOf(upload))
    expect(await one.files.get(fileId)).toEqual(recordOf(upload))
    place.s3.failNext('PutObject', { when: 'after', error: internalError() })
    await one.record(id, ended('cancelled', true))
    expect((await mustLoad(other, id)).status).toBe('cancelled')
  })

  it('is no expiry of an upload that is completing', async () => {
    const large = testBytes(CHUNK + 1)
    const upload = await storeAll(one, testManifest({ chunkSize: CHUNK, size: large.length }), large)
    const { id } = upload.manifest
    await one.record(id, { type: 'completing' })
    await expect(other.record(id, ended('expired'))).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
    expect((await mustLoad(other, id)).status).toBe('completing')
    await complete(one, upload)
    expect((await mustLoad(other, id)).status).toBe('uploaded')
  })
})

describeWithS3('a claim', () => {
  let place: S3Place

  beforeEach(async () => {
    place = await S3Place.make()
  })

  afterEach(() => place.leave())

  it('is known for ours although the answer to it was lost', async () => {
    const storage = await place.open()
    const claim = { id: 'an id', fingerprint: 'print', at: 5 }
    place.s3.failNext('PutObject', { when: 'after', error: internalError() })
    expect(await storage.claim('key', claim, 0)).toBe(claim)
    // The same request once more is another claim: the first stands.
    const again = { ...claim }
    expect(await storage.claim('key', again, 0)).not.toBe(again)
  })
})
