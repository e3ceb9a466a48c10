import { randomUUID } from 'node:crypto'
import type { Storage } from '../../src/storage/storage.ts'
import { applyChange, type Manifest } from '../../src/upload.ts'
import { complete, mustLoad, putChunk, storeAll, tailOf, testBytes, testManifest } from './storage-suite.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** What there is to be swept, by what a sweep does with it; ids. */
export interface SweepableUploads {
  readonly complete: string
  readonly expire: string
  readonly delete: string
  readonly forget: string
  readonly checksum: string
  /** Left alone: one that is being uploaded, one whose tombstone stands, a finished file. */
  readonly keep: readonly [fresh: string, tombstone: string, finished: string]
}

/** Leaves in a storage one upload of each kind that a sweep meets, as kills leave them. Two and a half chunks each. */
export async function leaveSweepable(storage: Storage, chunkSize: number): Promise<SweepableUploads> {
  const now = Date.now()
  const size = Math.floor(chunkSize * 2.5)
  const bytes = testBytes(size)
  const manifest = (fields: Partial<Manifest> = {}): Manifest =>
    testManifest({ owner: null, chunkSize, size, createdAt: now, ...fields })
  const begin = async (fields: Partial<Manifest> = {}): Promise<string> => {
    const made = manifest(fields)
    await storage.create(made)
    const upload = await mustLoad(storage, made.id)
    await putChunk(storage, upload, bytes, 0)
    const tail = bytes.subarray(chunkSize, chunkSize + 10)
    const writer = await storage.beginChunk(upload, 1, 0)
    await writer.write([tail])
    await writer.suspend(tailOf(1, tail))
    return made.id
  }
  const cancelled = async (at: number): Promise<string> => {
    const id = await begin()
    await storage.record(id, { type: 'ended', status: 'cancelled', at })
    return id
  }
  const finished = async (fields: Partial<Manifest> = {}): Promise<string> => {
    const made = manifest(fields)
    const upload = await storeAll(storage, made, bytes.subarray(0, made.size ?? 0))
    const { id, fileId, owner, fileName: name, contentType, metadata } = made
    const file = { id: fileId, uploadId: id, owner, name, size: made.size ?? 0, contentType, metadata }
    await complete(storage, upload)
    await storage.files.put({ ...file, uploadedAt: now, checksum: null, key: fileId })
    return id
  }
  const whole = await storeAll(storage, manifest(), bytes)
  await storage.record(whole.manifest.id, { type: 'completing' })
  const tombstone = await cancelled(now - HOUR)
  await storage.discard(applyChange(await mustLoad(storage, tombstone), { type: 'ended', status: 'cancelled', at: 1 }))
  return {
    complete: whole.manifest.id,
    expire: await begin({ createdAt: now - 8 * DAY }),
    delete: await cancelled(now - HOUR),
    forget: await cancelled(now - 25 * HOUR),
    checksum: await finished(),
    // Of one chunk the checksum is known anyway.
    keep: [await begin(), tombstone, await finished({ size: 10 })],
  }
}

/** The lines of a sweep of these, without what is said of each. */
export function sweepLines(ids: SweepableUploads): string[] {
  const { keep: _, ...swept } = ids
  return Object.entries(swept)
    .map(([action, id]) => `${action} ${id}`)
    .toSorted()
}

/** A random id, for what belongs to nobody. */
export const nobodysId = (): string => randomUUID()
