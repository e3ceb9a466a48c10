import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createUploads, MemoryState, type Uploads } from '../../../src/index.ts'
import { RedisState } from '../../../src/state/redis/index.ts'
import type { State } from '../../../src/state/state.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { S3Storage } from '../../../src/storage/s3/index.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { bytesOf } from '../../support/byte-source.ts'
import { S3Place } from '../../support/s3-place.ts'
import { describeWithRedis } from '../../support/services/redis.ts'
import { describeWithS3 } from '../../support/services/s3.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { aClient, ownPrefix } from '../state/redis/redis-nodes.ts'
import { CALLER } from './opened-uploads.ts'

const HOUR = 3_600_000

/** Where the uploads of a test are. */
interface Place {
  readonly storage: Storage
  readonly chunkSize: number
  /** Names of all files that were finished. */
  readonly files: () => Promise<string[]>
}

async function onDisk(): Promise<Place> {
  const directory = await tempDir()
  const files = () => readdir(join(directory, 'files'))
  return { storage: new FileStorage({ directory }), chunkSize: 100, files }
}

async function inBucket(): Promise<Place> {
  const place = await S3Place.make()
  onTestFinished(() => place.leave())
  const files = async () => (await place.keys()).filter((key) => key.startsWith('holdfast/files/'))
  const storage = new S3Storage({ client: place.client, bucket: place.bucket })
  return { storage, chunkSize: 5 * 1024 * 1024, files }
}

/** Two whole parts, each with bytes that are copied as they are and bytes that share a chunk with others. */
async function openWithParts({ storage, chunkSize, files }: Place, state: State) {
  const clock = { now: Date.now() }
  const uploads: Uploads = createUploads({ storage, state, chunkSize, now: () => clock.now, expiresAfterMs: HOUR })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const told: string[] = []
  uploads.events.on('completed', () => told.push('completed'))
  uploads.events.on('failed', ({ manifest }) => told.push(manifest.id))
  const parts: string[] = []
  for (const [n, size] of [chunkSize + 3, 2 * chunkSize].entries()) {
    const { manifest } = await uploads.create({ fileName: 'a', fileSize: size, partial: true }, CALLER)
    const body = Readable.from([bytesOf(n, size)])
    await uploads.append(manifest.id, { offset: 0, body, contentLength: size }, CALLER)
    parts.push(manifest.id)
  }
  /** Has something happen when every part has been given its time again, before a byte of one is copied. */
  const afterPin = (work: () => Promise<unknown>): void => {
    const commit = state.commit.bind(state)
    let left = parts.length
    vi.spyOn(state, 'commit').mockImplementation(async (...args) => {
      const upload = await commit(...args)
      if (args[1].some(({ type }) => type === 'touch')) {
        left -= 1
        if (left === 0) await work()
      }
      return upload
    })
  }
  return { uploads, clock, told, parts, files, afterPin }
}

const ENDS = [
  ['the first part of which is removed', 'cancel', 0],
  ['the last part of which is removed', 'cancel', 1],
  ['the first part of which expires', 'expire', 0],
  ['the last part of which expires', 'expire', 1],
] as const

function describeEnds(makePlace: () => Promise<Place>, makeState: () => State): void {
  it.each(ENDS)('%s fails, and says which one it was', { timeout: 60_000 }, async (_, how, which) => {
    const { uploads, clock, told, parts, files, afterPin } = await openWithParts(await makePlace(), makeState())
    const id = parts[which] ?? ''
    afterPin(async () => {
      if (how === 'cancel') return uploads.cancel(id, CALLER)
      clock.now += HOUR
      return expect(uploads.settle(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' })
    })
    const making = uploads.concatenate({ fileName: 'b', parts }, CALLER)
    const failed = { code: 'UPLOAD_FAILED', status: 410, details: { parts: [which + 1] } }
    await expect(making).rejects.toMatchObject(failed)

    // It was told once, and of no file.
    expect(told).toHaveLength(1)
    const [final = ''] = told
    await expect(uploads.settle(final, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_FAILED' })
    await expect(uploads.download(final, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_FAILED' })
    expect(await files()).toEqual([])
    // Asked for again it is another one, which cannot be begun without the part.
    const again = { status: 410, details: { part: which + 1 } }
    if (how === 'cancel')
      await expect(uploads.concatenate({ fileName: 'b', parts }, CALLER)).rejects.toMatchObject(again)
    expect(told).toHaveLength(1)
  })
}

describe('a file', () => {
  describeEnds(onDisk, () => new MemoryState())
})

describe('a file of another owner’s parts', () => {
  it('is made by nobody, also not by who may do everything', async () => {
    const { storage } = await onDisk()
    const uploads: Uploads = createUploads({ storage, authorize: () => true })
    await uploads.open()
    onTestFinished(() => uploads.close())
    const ann = { principal: { id: 'ann' } }
    const admin = { principal: { id: 'admin' } }
    const { manifest } = await uploads.create({ fileName: 'a', fileSize: 0, partial: true }, ann)
    const input = { fileName: 'b', parts: [manifest.id] }
    await expect(uploads.concatenate(input, admin)).rejects.toMatchObject({ code: 'UPLOAD_NOT_FOUND' })
    expect((await uploads.concatenate(input, ann)).upload.status).toBe('uploaded')
  })
})

describeWithRedis('a file, with Redis,', () => {
  describeEnds(onDisk, () => new RedisState({ redis: aClient(), prefix: ownPrefix() }))
  describeWithS3('in S3', () => {
    describeEnds(inBucket, () => new RedisState({ redis: aClient(), prefix: ownPrefix() }))
  })
})
