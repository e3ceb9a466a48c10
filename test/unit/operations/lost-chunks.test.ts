import { createHash } from 'node:crypto'
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { MemoryState, type Uploads } from '../../../src/index.ts'
import { createContext } from '../../../src/operations/create-context.ts'
import { keepDigest } from '../../../src/operations/keep-digest.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { encodeLines } from '../../../src/storage/file/journal-format.ts'
import type { CallFault, LayerCall } from '../../support/fault-layer.ts'
import {
  append,
  beginPut,
  CALLER,
  chunk,
  chunks,
  create,
  type HeldFiles,
  isData,
  losePage,
  openUploads,
  put,
} from './opened-uploads.ts'

const NOTHING = Buffer.alloc(0)
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** A call on an upload's bytes that fails. */
const failing =
  (name: LayerCall['name'], when: CallFault['when']) =>
  (call: LayerCall): CallFault | null =>
    call.name === name && isData(call.path) ? { when, code: 'EIO' } : null

/** Asks for the file while the bytes cannot be synced, and takes a chunk off the disk with that. */
async function failSync(uploads: Uploads, files: HeldFiles, directory: string, id: string, lost: number) {
  files.plan = failing('datasync', 'before')
  await expect(uploads.complete(id, { waitMs: 0 }, CALLER)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  files.plan = () => null
  await losePage(directory, id, lost)
}

/** Checks that an upload takes the one chunk it has lost, and that its file is right then. */
async function expectHealed(uploads: Uploads, directory: string, id: string, lost: number, count: number) {
  expect(await uploads.progress(id, CALLER)).toMatchObject({ status: 'uploading', missingChunks: [[lost, lost]] })
  await expect(uploads.complete(id, {}, CALLER)).rejects.toMatchObject({
    code: 'CHUNKS_MISSING',
    details: { missing: [[lost, lost]] },
  })
  expect((await put(uploads, id, lost)).entry).toMatchObject({ number: lost, size: 100 })
  await expectFile(uploads, directory, id, chunks(count))
}

/** Checks the finished file, and the checksum that is told of it. */
async function expectFile(uploads: Uploads, directory: string, id: string, bytes: Buffer) {
  const { file } = await uploads.complete(id, {}, CALLER)
  expect(file).toMatchObject({ size: bytes.length, checksum: sha256(bytes) })
  expect(await readFile(join(directory, 'files', file.id))).toEqual(bytes)
  expect(await uploads.find(id, CALLER)).toMatchObject({ status: 'uploaded', digest: sha256(bytes) })
}

describe('a chunk that storage turns out to have lost', () => {
  it('is asked for again where the sync before completion failed', async () => {
    const { uploads, directory, files } = await openUploads()
    const id = await create(uploads, 200)
    await put(uploads, id, 0)
    await put(uploads, id, 1)
    await failSync(uploads, files, directory, id, 1)
    await expect(uploads.complete(id, {}, CALLER)).rejects.toMatchObject({
      code: 'CHUNKS_MISSING',
      details: { missing: [[1, 1]] },
    })
    await expectHealed(uploads, directory, id, 1, 2)
  })

  it('is asked for again where storage had found it out before, and nobody had asked it since', async () => {
    const { uploads, directory, files } = await openUploads()
    const id = await create(uploads, 300)
    await put(uploads, id, 0)
    files.plan = failing('close', 'after')
    await put(uploads, id, 1)
    files.plan = () => null
    await losePage(directory, id, 1)
    // Who claims to have sent more than is known has the disk read; the loss is no news to it after that.
    await expect(append(uploads, id, 250, NOTHING)).rejects.toMatchObject({ code: 'OFFSET_MISMATCH' })
    await put(uploads, id, 2)

    await expect(uploads.complete(id, {}, CALLER)).rejects.toMatchObject({
      code: 'CHUNKS_MISSING',
      details: { missing: [[1, 1]] },
    })
    await expectHealed(uploads, directory, id, 1, 3)
  })

  it('is asked for again by a sequential writer whose sync failed in the middle', async () => {
    const { uploads, directory, files } = await openUploads({}, { fsync: 'chunk' })
    const id = await create(uploads, 300)
    await append(uploads, id, 0, chunks(2))
    files.plan = failing('datasync', 'before')
    await expect(append(uploads, id, 200, chunk(2))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    files.plan = () => null
    await losePage(directory, id, 1)

    // Not an error, which would make a client start over: the true offset, at which it goes on.
    expect(await append(uploads, id, 200, chunk(2))).toMatchObject({ offset: 100, upload: { status: 'uploading' } })
    expect(await uploads.progress(id, CALLER)).toMatchObject({ status: 'uploading', missingChunks: [[1, 1]] })
    // The way of a client that asks for the offset: it is at the gap, and what comes after it is not sent again.
    const { offset } = await uploads.settle(id, CALLER)
    expect(offset).toBe(100)
    const { upload } = await append(uploads, id, offset, chunk(1))
    expect(upload.status).toBe('uploaded')
    await expectFile(uploads, directory, id, chunks(3))
  })

  it('is asked for again where closing the file failed', async () => {
    const { uploads, directory, files } = await openUploads()
    const id = await create(uploads, 300)
    files.plan = failing('close', 'after')
    await append(uploads, id, 0, chunks(2))
    files.plan = () => null
    await losePage(directory, id, 1)

    // Not an error, which would make a client start over: the true offset, at which it goes on.
    expect(await append(uploads, id, 200, chunk(2))).toMatchObject({ offset: 100, upload: { status: 'uploading' } })
    await expectHealed(uploads, directory, id, 1, 3)
  })

  it('is no error to a sequential client that asks where to go on', async () => {
    const { uploads, directory, files } = await openUploads()
    const id = await create(uploads, 200)
    await put(uploads, id, 0)
    await put(uploads, id, 1)
    files.plan = failing('datasync', 'before')
    await expect(uploads.settle(id, CALLER)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    files.plan = () => null
    await losePage(directory, id, 1)
    expect(await uploads.settle(id, CALLER)).toMatchObject({ offset: 100, upload: { status: 'uploading' } })
  })

  it('does not keep its upload from being cancelled', async () => {
    const { uploads, directory, files } = await openUploads()
    const id = await create(uploads, 300)
    files.plan = failing('close', 'after')
    await append(uploads, id, 0, chunks(2))
    files.plan = () => null
    await losePage(directory, id, 1)
    await append(uploads, id, 200, chunk(2)).catch(() => {})
    await uploads.cancel(id, CALLER)
    await expect(uploads.find(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED' })
  })

  it('is not acknowledged again to who was sending it once more meanwhile', async () => {
    const { uploads, directory, files } = await openUploads()
    const id = await create(uploads, 200)
    await put(uploads, id, 0)
    await put(uploads, id, 1)
    const again = await beginPut(uploads, id, 1, chunk(1).subarray(0, 50))
    await failSync(uploads, files, directory, id, 1)
    await expect(uploads.complete(id, { waitMs: 0 }, CALLER)).rejects.toMatchObject({ code: 'CHUNKS_MISSING' })
    again.body.end(chunk(1).subarray(50))
    await expect(again.answer).rejects.toMatchObject({ code: 'UPLOAD_LOCKED', status: 423 })
    await expectHealed(uploads, directory, id, 1, 2)
  })

  it('keeps its upload from being recorded as completing', async () => {
    const { uploads, directory } = await openUploads()
    const id = await create(uploads, 200)
    await put(uploads, id, 0)
    await uploads.close()

    const storage = new FileStorage({ directory })
    await storage.open()
    await expect(storage.record(id, { type: 'completing' })).rejects.toMatchObject({
      code: 'CHUNKS_MISSING',
      details: { missing: [[1, 1]] },
    })
    expect(await storage.load(id)).toMatchObject({ status: 'uploading' })
    await storage.close()
  })

  it('is asked for again where the upload is recorded as completing already, when it is loaded', async () => {
    const { uploads, directory } = await openUploads()
    const id = await create(uploads, 300)
    await put(uploads, id, 0)
    await put(uploads, id, 2)
    await uploads.close()
    await appendFile(join(directory, 'uploads', id, 'journal'), encodeLines([{ type: 'completing' }]))

    const { uploads: again } = await openUploads({}, { directory })
    await expectHealed(again, directory, id, 1, 3)
  })
})

describe('the checksum of a file that has lost a chunk on its way', () => {
  it.each([
    ['no checksum is declared', undefined],
    ['one is declared', sha256(chunks(3))],
  ])('is that of the bytes which are there in the end, where %s', async (_which, declared) => {
    const { uploads, directory, files } = await openUploads()
    const id = await create(uploads, 300, declared)
    const holdFollower = (): void =>
      files.hold(({ name, path, flags }) => name === 'read' && isData(path) && flags === 'r')

    // Chunk 1 has come out of order and is read back: it is hashed as the disk has it, which is wrong.
    holdFollower()
    await put(uploads, id, 1)
    await put(uploads, id, 0)
    await losePage(directory, id, 1)
    // While that is read nothing is hashed as it comes.
    const last = await beginPut(uploads, id, 2, chunk(2).subarray(0, 50))
    files.release()
    await vi.waitUntil(() => files.reads.some(({ path, position }) => isData(path) && position >= 100), {
      timeout: 10_000,
    })
    holdFollower()
    last.body.end(chunk(2).subarray(50))
    await last.answer
    await vi.waitUntil(() => files.waiting > 0, { timeout: 10_000 })
    await failSync(uploads, files, directory, id, 1)
    await expect(uploads.complete(id, { waitMs: 0 }, CALLER)).rejects.toMatchObject({ code: 'CHUNKS_MISSING' })

    files.release()
    await put(uploads, id, 1)
    await expectFile(uploads, directory, id, chunks(3))
  })

  it('is not kept where it comes after the loss', async () => {
    const { uploads, directory } = await openUploads()
    const id = await create(uploads, 200)
    await put(uploads, id, 0)
    await uploads.close()

    const storage = new FileStorage({ directory })
    await storage.open()
    const context = createContext({ storage, state: new MemoryState() })
    await keepDigest(context, id, sha256(Buffer.concat([chunk(0), Buffer.alloc(100)])))
    expect(await storage.load(id)).toMatchObject({ status: 'uploading', digest: null })
    await storage.close()
  })
})
