import { afterEach, beforeEach, expect, it } from 'vitest'
import { isUploadError } from '../../../../src/errors.ts'
import type { FileRecord } from '../../../../src/files.ts'
import { MIB } from '../../../../src/grid.ts'
import { S3Storage } from '../../../../src/storage/s3/index.ts'
import type { Manifest, StoredUpload } from '../../../../src/upload.ts'
import { Random, runSeed } from '../../../support/byte-source.ts'
import { drawn } from '../../../support/cases.ts'
import { FaultyS3, internalError, type S3Fault } from '../../../support/faulty-s3.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import {
  chunkOf,
  entryOf,
  expectBytes,
  gather,
  mustLoad,
  sha256,
  tailOf,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const CHUNK = 5 * MIB
const READS: ReadonlySet<string> = new Set(['GetObject', 'HeadObject', 'ListObjectsV2', 'ListParts'])

/** A connection that was cut says nothing of what was done either. */
const connectionReset = () => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })

/** Does a step again, as a client would, where it failed in a way that passes. */
async function again<T>(step: () => Promise<T>): Promise<T> {
  for (let time = 0; time < 3; time += 1) {
    try {
      return await step()
    } catch (error) {
      if (!isUploadError(error) || error.code !== 'STORAGE_UNAVAILABLE') throw error
    }
  }
  return await step()
}

/** Takes an upload from its beginning to its file, on a node that knows what the bucket tells it. */
class Life {
  readonly manifest: Manifest
  readonly bytes: Buffer
  readonly #storage: S3Storage

  constructor(storage: S3Storage, manifest: Manifest, bytes: Buffer) {
    this.#storage = storage
    this.manifest = manifest
    this.bytes = bytes
  }

  async upload(): Promise<void> {
    const { id } = this.manifest
    await again(() => this.#storage.create(this.manifest))
    await this.#suspend(0, 700)
    await this.#suspend(700, 900)
    if (this.manifest.size === null) {
      const { length } = this.bytes
      await this.#suspend(900, length)
      await again(() => this.#storage.record(id, { type: 'length', size: length, at: 4 }))
    } else {
      await this.#finish(0, 900)
      if (this.bytes.length > CHUNK) await this.#finish(1, 0)
    }
    await again(() => this.#storage.record(id, { type: 'completing' }))
    await again(async () => this.#storage.assemble({ ...(await this.#load()), status: 'completing' }))
    await again(() => this.#storage.files.put(this.#record(null)))
    await again(() => this.#storage.record(id, { type: 'ended', status: 'uploaded', at: 5 }))
    await again(() => this.#storage.record(id, { type: 'digest', sha256: sha256(this.bytes) }))
    await again(() => this.#storage.files.put(this.#record(sha256(this.bytes))))
  }

  async check(storage: S3Storage): Promise<void> {
    const { id, fileId } = this.manifest
    const { length } = this.bytes
    expect(await again(() => storage.load(id))).toMatchObject({ status: 'uploaded', size: length, endedAt: 5 })
    expect(await again(() => storage.files.get(fileId))).toEqual(this.#record(sha256(this.bytes)))
    expectBytes(await again(async () => gather(await storage.openFile(fileId, 0, length))), this.bytes)
    expectBytes(await again(async () => gather(storage.read(await this.#load(), 3, 800))), this.bytes.subarray(3, 800))
  }

  async remove(): Promise<void> {
    const { id } = this.manifest
    await again(() => this.#storage.record(id, { type: 'ended', status: 'cancelled', at: 9, ofFile: true }))
    await again(async () => this.#storage.discard(await this.#load()))
    await again(() => this.#storage.forget(id))
    expect(await again(() => this.#storage.load(id))).toBeNull()
  }

  #load(): Promise<StoredUpload> {
    return mustLoad(this.#storage, this.manifest.id)
  }

  async #suspend(from: number, to: number): Promise<void> {
    await again(async () => {
      const upload = await this.#load()
      // The answer was lost, and the bytes are there: a client that asks is told so, and goes on from there.
      if (upload.ledger.tail?.size === to) return
      const writer = await this.#storage.beginChunk(upload, 0, from)
      await writer.write([this.bytes.subarray(from, to)])
      await writer.suspend(tailOf(0, this.bytes.subarray(0, to)))
    })
  }

  async #finish(n: number, from: number): Promise<void> {
    await again(async () => {
      const upload = await this.#load()
      const chunk = chunkOf(upload, this.bytes, n)
      const durable = upload.ledger.chunks.get(n)
      if (durable !== undefined) {
        expect(durable.sha256).toBe(sha256(chunk))
        return
      }
      const writer = await this.#storage.beginChunk(upload, n, upload.ledger.tail?.size ?? 0)
      expect(upload.ledger.tail?.size ?? 0).toBe(from)
      await writer.write([chunk.subarray(from)])
      const entry = await writer.finish(entryOf(n, chunk))
      expect(entry.sha256).toBe(sha256(chunk))
    })
  }

  #record(checksum: string | null): FileRecord {
    const { id, fileId, owner, fileName, contentType, metadata } = this.manifest
    const { length } = this.bytes
    return {
      id: fileId,
      uploadId: id,
      owner,
      name: fileName,
      size: length,
      contentType,
      metadata,
      uploadedAt: 5,
      checksum,
    }
  }
}

describeWithS3('S3Storage, whatever request fails', () => {
  const seed = runSeed()
  const random = new Random(seed)
  let place: S3Place

  beforeEach(async () => {
    place = await S3Place.make()
  })

  afterEach(() => place.leave())

  const kinds = [
    { kind: 'one chunk', size: 1000, deferred: false },
    { kind: 'two chunks', size: CHUNK + 500, deferred: false },
    { kind: 'a deferred length', size: 1500, deferred: true },
  ] as const

  it.each(kinds)(
    'goes on when a request fails once in the life of a file of $kind',
    { timeout: 180_000 },
    async (life) => {
      const bytes = testBytes(life.size)
      const size = life.deferred ? null : bytes.length
      const names = await lived(bytes, size, () => null)
      const faults: { readonly nth: number; readonly when: S3Fault['when'] }[] = []
      for (const [nth, name] of names.entries()) {
        if (!READS.has(name)) faults.push({ nth, when: 'before' }, { nth, when: 'after' })
        // One that reads does nothing that could be lost, and fails in the same way in every life.
        else if (life.kind === 'one chunk') faults.push({ nth, when: 'before' })
      }
      const chosen = drawn(faults, ({ nth, when }) => `${names[nth]} ${when}`, 1, random)
      const waiting = chosen.values()
      const live = async () => {
        for (const { nth, when } of waiting) {
          const error = nth % 2 === 0 ? internalError() : connectionReset()
          await lived(bytes, size, (asked) => (asked === nth ? { when, error } : null))
        }
      }
      await Promise.all(Array.from({ length: 6 }, live))
      // Nothing is left but what a crash leaves too, and that goes with the next sweep.
      const storage = await place.open()
      await storage.sweep(Date.now() + 600_000)
      expect(await place.keys()).toEqual([])
      expect(await place.multipartKeys()).toEqual([])
      console.log(
        `${life.kind}: ${chosen.length} of the ${faults.length} failures of ${countsOf(names)}; HOLDFAST_SEED=${seed} draws the same`,
      )
      expect(chosen.length).toBeGreaterThan(15)
    },
  )

  /** Takes an upload through its life, on a node of its own; the names of the requests it took. */
  async function lived(bytes: Buffer, size: number | null, plan: (nth: number) => S3Fault | null): Promise<string[]> {
    const s3 = new FaultyS3(place.client)
    // Nothing is tried again below the client: what a single failure leaves behind is seen by whoever comes next.
    const storage = new S3Storage({ client: s3, bucket: place.bucket, retry: { attempts: 1 } })
    await storage.open()
    s3.calls.length = 0
    s3.plan = () => plan(s3.calls.length - 1)
    const life = new Life(storage, testManifest({ chunkSize: CHUNK, size }), bytes)
    await life.upload()
    await life.check(storage)
    await life.remove()
    await storage.close()
    return s3.names()
  }

  it('tries again by itself, so that nobody sees a single failure', { timeout: 60_000 }, async () => {
    const bytes = testBytes(CHUNK + 500)
    const storage = await place.open()
    let turn = 0
    place.s3.plan = () => {
      turn += 1
      if (turn % 3 === 0) return { when: 'before', error: internalError() }
      return turn % 3 === 1 ? { when: 'after', error: connectionReset() } : null
    }
    const life = new Life(storage, testManifest({ chunkSize: CHUNK, size: bytes.length }), bytes)
    await life.upload()
    await life.check(storage)
    await life.remove()
    expect(turn).toBeGreaterThan(60)
  })
})

/** How often each name comes, for a person to read. */
function countsOf(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ')
}
