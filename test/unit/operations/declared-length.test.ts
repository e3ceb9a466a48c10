import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { Uploads } from '../../../src/index.ts'
import { nodeFiles } from '../../../src/storage/file/file-layer.ts'
import { encodeLines } from '../../../src/storage/file/journal-format.ts'
import { readBootId } from '../../../src/storage/file/machine.ts'
import {
  append,
  beginPut,
  CALLER,
  chunk,
  chunks,
  create,
  offsetOf,
  openUploads,
  type OpenedUploads,
  outcomeOf,
  put,
} from './opened-uploads.ts'

const NOTHING = Buffer.alloc(0)

/** Declares a length; when this resolves it waits for who is at the upload, or has its answer already. */
async function beginDeclare(opened: OpenedUploads, id: string, offset: number, bytes: Buffer, size: number) {
  const before = opened.locksAsked('whole')
  const answer = append(opened.uploads, id, offset, bytes, size)
  const outcome = outcomeOf(answer)
  await vi.waitUntil(() => outcome.settled || opened.locksAsked('whole') > before, { timeout: 10_000 })
  return { answer, outcome }
}

/** The same uploads after a restart. */
async function restart({ uploads, directory }: OpenedUploads): Promise<Uploads> {
  await uploads.close()
  return (await openUploads({}, { directory })).uploads
}

/** The finished file as it lies on the disk. */
async function fileOf(uploads: Uploads, directory: string, id: string): Promise<Buffer> {
  const { file } = await uploads.complete(id, {}, CALLER)
  const bytes = await readFile(join(directory, 'files', file.id))
  expect(bytes).toHaveLength(file.size)
  return bytes
}

describe('a deferred length that is declared while a chunk is under way', () => {
  it('is recorded nowhere while the chunk keeps it waiting, and taken when the chunk is there', async () => {
    const { uploads, directory } = await openUploads({ lockWaitMs: 100 })
    const id = await create(uploads, null)
    const { body, answer } = await beginPut(uploads, id, 1, chunk(1).subarray(0, 60))

    await expect(append(uploads, id, 0, chunk(0), 200)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
    expect(await uploads.progress(id, CALLER)).toMatchObject({ totalSize: null, uploadedBytes: 0 })

    body.end(chunk(1).subarray(60))
    expect((await answer).entry).toMatchObject({ number: 1, size: 100 })
    const { upload, offset } = await append(uploads, id, 0, chunk(0), 200)
    expect({ status: upload.status, size: upload.size, offset }).toEqual({ status: 'uploaded', size: 200, offset: 200 })
    expect(await fileOf(uploads, directory, id)).toEqual(chunks(2))
  })

  it('waits for the chunk, and is taken with it', async () => {
    const opened = await openUploads()
    const { uploads, directory } = opened
    const id = await create(uploads, null)
    const chunkUnderWay = await beginPut(uploads, id, 1, chunk(1).subarray(0, 60))
    const declaration = await beginDeclare(opened, id, 0, chunk(0), 200)
    expect(declaration.outcome.settled).toBe(false)
    expect(await uploads.progress(id, CALLER)).toMatchObject({ totalSize: null })

    chunkUnderWay.body.end(chunk(1).subarray(60))
    expect((await chunkUnderWay.answer).entry).toMatchObject({ number: 1, size: 100 })
    const { upload, offset } = await declaration.answer
    expect({ status: upload.status, size: upload.size, offset }).toEqual({ status: 'uploaded', size: 200, offset: 200 })
    expect(await fileOf(uploads, directory, id)).toEqual(chunks(2))
  })

  it.each([
    ['in the middle of the chunk', 1, 150],
    ['before the chunk', 5, 200],
  ])('is refused as INVALID_REQUEST where it lies %s, and is recorded nowhere', async (_where, number, size) => {
    const opened = await openUploads()
    const { uploads, directory } = opened
    const id = await create(uploads, null)
    const { body, answer } = await beginPut(uploads, id, number, chunk(number).subarray(0, 60))
    const declaration = await beginDeclare(opened, id, 0, chunk(0), size)
    body.end(chunk(number).subarray(60))

    expect((await answer).entry).toMatchObject({ number, size: 100 })
    await expect(declaration.answer).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      status: 400,
      details: { field: 'Upload-Length' },
    })
    const progress = await uploads.progress(id, CALLER)
    expect(progress).toMatchObject({ status: 'uploading', totalSize: null, uploadedBytes: 100 })
    expect(offsetOf(progress.upload)).toBe(0)

    // Nor is it on the disk, and another one can be declared: nothing that was acknowledged is cut off.
    const again = await restart(opened)
    expect(await again.progress(id, CALLER)).toMatchObject({ totalSize: null, uploadedBytes: 100 })
    for (let n = 0; n < number; n += 1) await append(again, id, n * 100, chunk(n), (number + 1) * 100)
    expect(await fileOf(again, directory, id)).toEqual(chunks(number + 1))
  })

  it('leaves the upload open: it takes bytes, and can be cancelled', async () => {
    const opened = await openUploads()
    const { uploads } = opened
    const id = await create(uploads, null)
    const { body, answer } = await beginPut(uploads, id, 5, chunk(5).subarray(0, 60))
    const declaration = await beginDeclare(opened, id, 0, NOTHING, 200)
    body.end(chunk(5).subarray(60))
    await Promise.allSettled([answer, declaration.answer])

    await append(uploads, id, 0, chunk(0))
    const { upload, offset } = await append(uploads, id, 100, chunk(1))
    expect({ status: upload.status, offset }).toEqual({ status: 'uploading', offset: 200 })
    await put(uploads, id, 2)
    await uploads.cancel(id, CALLER)
    await expect(uploads.find(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED' })
  })

  it('does not make a tail the end that another writer has gone beyond', async () => {
    const opened = await openUploads()
    const { uploads, directory } = opened
    const id = await create(uploads, null)
    await append(uploads, id, 0, chunk(0).subarray(0, 50))
    const { body, answer } = await beginPut(uploads, id, 0, chunk(0).subarray(0, 60))
    const declaration = await beginDeclare(opened, id, 50, NOTHING, 50)
    body.end(chunk(0).subarray(60))

    expect((await answer).entry).toMatchObject({ number: 0, size: 100 })
    await expect(declaration.answer).rejects.toMatchObject({ code: 'OFFSET_MISMATCH', details: { offset: 100 } })
    expect(await uploads.progress(id, CALLER)).toMatchObject({ status: 'uploading', totalSize: null })
    await append(uploads, id, 100, NOTHING, 100)
    expect(await fileOf(uploads, directory, id)).toEqual(chunk(0))
  })

  it('makes a tail the end where the chunk under way comes to nothing', async () => {
    const opened = await openUploads()
    const { uploads, directory } = opened
    const id = await create(uploads, null)
    await append(uploads, id, 0, chunk(0).subarray(0, 50))
    const { body, answer } = await beginPut(uploads, id, 0, chunk(0).subarray(0, 60))
    const declaration = await beginDeclare(opened, id, 50, NOTHING, 50)
    body.destroy()

    await expect(answer).rejects.toMatchObject({ code: 'TIMEOUT' })
    const { upload, offset } = await declaration.answer
    expect({ status: upload.status, size: upload.size, offset }).toEqual({ status: 'uploaded', size: 50, offset: 50 })
    expect(await fileOf(uploads, directory, id)).toEqual(chunk(0).subarray(0, 50))
  })
})

describe('a deferred length', () => {
  it('leaves out what a journal has beyond it, and the upload is completed without that', async () => {
    const opened = await openUploads()
    const id = await create(opened.uploads, null)
    await opened.uploads.close()
    const entry = { number: 5, size: 100, sha256: '0'.repeat(64), at: 1000 }
    const lines = encodeLines([
      { v: 1, id, boot: await readBootId(nodeFiles) },
      { type: 'length', size: 200, at: 1000 },
      { type: 'chunk', entry },
    ])
    await writeFile(join(opened.directory, 'uploads', id, 'journal'), lines)

    const again = await restart(opened)
    expect(await again.progress(id, CALLER)).toMatchObject({ totalSize: 200, uploadedBytes: 0 })
    const first = await append(again, id, 0, chunk(0))
    expect({ status: first.upload.status, offset: first.offset }).toEqual({ status: 'uploading', offset: 100 })
    await append(again, id, 100, chunk(1))
    expect(await fileOf(again, opened.directory, id)).toEqual(chunks(2))
  })

  it('is refused below a chunk that was acknowledged, and is recorded nowhere', async () => {
    const opened = await openUploads()
    const { uploads } = opened
    const id = await create(uploads, null)
    await put(uploads, id, 2)
    for (const size of [100, 200, 299]) {
      await expect(append(uploads, id, 0, NOTHING, size)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
      expect(await uploads.progress(id, CALLER)).toMatchObject({ totalSize: null, uploadedBytes: 100 })
    }
    const again = await restart(opened)
    expect(await again.progress(id, CALLER)).toMatchObject({ totalSize: null, uploadedBytes: 100 })
    const { upload } = await append(again, id, 0, chunks(2), 300)
    expect(upload).toMatchObject({ status: 'uploaded', size: 300 })
  })
})
