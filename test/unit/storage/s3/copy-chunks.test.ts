import { afterEach, beforeEach, expect, it } from 'vitest'
import { isUploadError } from '../../../../src/errors.ts'
import { MIB } from '../../../../src/grid.ts'
import type { ChunkEntry } from '../../../../src/ledger.ts'
import { S3Storage } from '../../../../src/storage/s3/index.ts'
import type { StoredUpload } from '../../../../src/upload.ts'
import { bytesOf } from '../../../support/byte-source.ts'
import { FaultyS3, internalError, type S3Fault, s3Error } from '../../../support/faulty-s3.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import {
  chunkOf,
  complete,
  expectBytes,
  gather,
  mustLoad,
  putChunk,
  sha256,
  storeAll,
  testManifest,
} from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB
const PART = bytesOf(1, 2 * CHUNK + 9)
/** Chunks 0 and 1 are those of the part, the third is not. */
const WHOLE = Buffer.concat([PART, bytesOf(2, 100)])

describeWithS3('copying chunks in S3', () => {
  let place: S3Place
  let part: StoredUpload

  beforeEach(async () => {
    place = await S3Place.make()
    const manifest = testManifest({ chunkSize: CHUNK, size: PART.length, concatenation: { kind: 'partial' } })
    const storage = await place.open()
    part = await complete(storage, await storeAll(storage, manifest, PART))
  })

  afterEach(() => place.leave())

  const copies = (final: StoredUpload) =>
    [0, 1].flatMap((number) => {
      const source = { upload: part, start: number * CHUNK, end: (number + 1) * CHUNK }
      return final.ledger.chunks.has(number) ? [] : [{ number, source, at: 8 }]
    })

  /** A final that is begun, its chunks copied with a fault, and then made on another node; what was asked for. */
  async function made(plan: (nth: number, name: string) => S3Fault | null): Promise<string[]> {
    const s3 = new FaultyS3(place.client)
    // Nothing is tried again below the client: what a single failure leaves behind is seen by whoever comes next.
    const storage = new S3Storage({ client: s3, bucket: place.bucket, retry: { attempts: 1 } })
    await storage.open()
    const parts = [{ id: part.manifest.id, size: PART.length }]
    const manifest = testManifest({ chunkSize: CHUNK, size: WHOLE.length, concatenation: { kind: 'final', parts } })
    await storage.create(manifest)
    const begun = await mustLoad(storage, manifest.id)
    s3.calls.length = 0
    s3.plan = ({ name }) => plan(s3.calls.length - 1, name)
    const told = await storage.copyChunks(begun, copies(begun)).catch((error: unknown): ChunkEntry[] => {
      expect(isUploadError(error) && error.code).toBe('STORAGE_UNAVAILABLE')
      return []
    })
    s3.plan = () => null
    const names = s3.names()
    await storage.close()
    await goOn(manifest.id, told)
    return names
  }

  /** What S3 has of the final is true; what is missing is made, and the file stands. */
  async function goOn(id: string, told: readonly ChunkEntry[]): Promise<void> {
    const storage = await place.open()
    const merged = await mustLoad(storage, id)
    for (const { number } of told) expect(merged.ledger.chunks.has(number)).toBe(true)
    for (const { number, sha256: digest } of [...told, ...merged.ledger.chunks.values()]) {
      expect(digest).toBe(sha256(chunkOf(merged, WHOLE, number)))
    }
    const again = copies(merged)
    if (again.length > 0) await storage.copyChunks(merged, again)
    for (const number of [0, 1, 2]) {
      const now = await mustLoad(storage, id)
      if (!now.ledger.chunks.has(number)) await putChunk(storage, now, WHOLE, number)
    }
    const { manifest } = await complete(storage, await mustLoad(storage, id))
    expectBytes(await gather(await storage.openFile(manifest.fileId, 0, WHOLE.length)), WHOLE)
    await storage.record(id, { type: 'ended', status: 'cancelled', at: 9, ofFile: true })
    await storage.discard(await mustLoad(storage, id))
    await storage.forget(id)
  }

  it('goes on where one request fails, before or after it took effect', { timeout: 120_000 }, async () => {
    const before = await place.keys()
    const names = await made(() => null)
    // A node that has not met the part before looks up where it is.
    const copying = names.filter((name) => name !== 'GetObject')
    expect(copying.toSorted()).toEqual(['ListParts', 'UploadPartCopy', 'UploadPartCopy'])
    for (const [at] of names.entries()) {
      for (const when of ['before', 'after'] as const) {
        const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
        await made((nth) => (nth === at ? { when, error: at % 2 === 0 ? internalError() : reset } : null))
      }
    }
    // Nothing is left of them, and the part is as it was.
    expect(await place.keys()).toEqual(before)
    expect(await place.multipartKeys()).toEqual([])
    const storage = await place.open()
    expectBytes(await gather(storage.read(part, 0, PART.length)), PART)
  })

  it('copies nothing where S3 does not know how, and the bytes are sent', { timeout: 60_000 }, async () => {
    const refused = { when: 'before', error: s3Error('NotImplemented', 501) } as const
    const names = await made((_, name) => (name === 'UploadPartCopy' ? refused : null))
    expect(names).toContain('UploadPartCopy')
    expect(names).not.toContain('ListParts')
  })
})
