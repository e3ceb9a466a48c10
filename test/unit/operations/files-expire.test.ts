import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createUploads, type Uploads } from '../../../src/index.ts'
import { FileStorage, inspectUpload } from '../../../src/storage/file/index.ts'
import { S3Storage } from '../../../src/storage/s3/index.ts'
import { S3Place } from '../../support/s3-place.ts'
import { describeWithS3 } from '../../support/services/s3.ts'
import { tempDir } from '../../support/temp-dir.ts'

const CALLER = { principal: null } as const
const HOUR = 3_600_000

/** Uploads whose clock stands still until it is set, and which are swept every few ms. */
async function open(directory: string, clock: { now: number }, filesExpireAfterMs?: number): Promise<Uploads> {
  const uploads = createUploads({
    storage: new FileStorage({ directory }),
    now: () => clock.now,
    sweepIntervalMs: 5,
    ...(filesExpireAfterMs === undefined ? {} : { filesExpireAfterMs }),
  })
  await uploads.open()
  onTestFinished(() => uploads.close())
  return uploads
}

async function finishedFile(uploads: Uploads): Promise<{ readonly id: string; readonly fileId: string }> {
  const { manifest } = await uploads.create({ fileName: 'a', fileSize: 3 }, CALLER)
  await uploads.append(manifest.id, { offset: 0, body: Readable.from([Buffer.from('abc')]), contentLength: 3 }, CALLER)
  return { id: manifest.id, fileId: manifest.fileId }
}

describe('filesExpireAfterMs', () => {
  it('ends a finished file when its time is over, and not before', async () => {
    const directory = await tempDir()
    const clock = { now: Date.now() }
    const uploads = await open(directory, clock, HOUR)
    const expired: string[] = []
    uploads.events.on('expired', ({ manifest }) => expired.push(manifest.id))
    const { id, fileId } = await finishedFile(uploads)

    clock.now += HOUR - 1
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect((await uploads.find(id, CALLER)).status).toBe('uploaded')
    expect((await inspectUpload(directory, id))?.file).toMatchObject({ bytes: 3 })

    clock.now += 1
    await vi.waitUntil(() => expired.length > 0)
    expect(expired).toEqual([id])
    await expect(uploads.find(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' })
    await expect(uploads.download(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' })
    await expect(uploads.file(fileId, CALLER)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    await vi.waitUntil(async () => (await inspectUpload(directory, id))?.file === null)

    // It stays so through a restart.
    await uploads.close()
    const again = await open(directory, clock, HOUR)
    await expect(again.find(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' })
  })

  it('keeps finished files for ever by default', async () => {
    const clock = { now: Date.now() }
    const uploads = await open(await tempDir(), clock)
    const { id } = await finishedFile(uploads)
    clock.now += 100 * 365 * 24 * HOUR
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect((await uploads.find(id, CALLER)).status).toBe('uploaded')
  })
})

describeWithS3('filesExpireAfterMs in a bucket', () => {
  it('ends a finished file when its time is over, of which nothing but the tombstone is left', {
    timeout: 30_000,
  }, async () => {
    const place = await S3Place.make()
    const { client } = place
    const clock = { now: Date.now() }
    const options = { now: () => clock.now, sweepIntervalMs: 50, filesExpireAfterMs: HOUR }
    const uploads = createUploads({ storage: new S3Storage({ client, bucket: place.bucket }), ...options })
    await uploads.open()
    onTestFinished(async () => {
      await uploads.close()
      await place.leave()
    })
    const { id, fileId } = await finishedFile(uploads)
    clock.now += HOUR - 1
    expect((await uploads.file(fileId, CALLER)).size).toBe(3)

    clock.now += 1
    const gone = { code: 'UPLOAD_EXPIRED' }
    await vi.waitUntil(
      () =>
        uploads.find(id, CALLER).then(
          () => false,
          () => true,
        ),
      { timeout: 20_000 },
    )
    await expect(uploads.find(id, CALLER)).rejects.toMatchObject(gone)
    await expect(uploads.file(fileId, CALLER)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    await vi.waitUntil(async () => !(await place.keys()).some((key) => key.includes('/files/')), { timeout: 20_000 })
    expect(await place.keys()).toEqual([`holdfast/records/${fileId}`, `holdfast/uploads/${id}/manifest`])
  })
})
