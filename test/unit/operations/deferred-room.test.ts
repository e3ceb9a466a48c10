import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { append, CALLER, create, offsetOf, openUploads, put } from './opened-uploads.ts'

const MIB = 1024 * 1024
const TOO_LARGE = { code: 'FILE_TOO_LARGE', status: 413 }

describe('an upload of deferred length', () => {
  it('has chunks large enough for the largest file', async () => {
    const { uploads } = await openUploads({ maxFileSize: 1000 }, { maxChunks: 5 })
    const known = await uploads.create({ fileName: 'a', fileSize: 1000 }, CALLER)
    const deferred = await uploads.create({ fileName: 'a', fileSize: null }, CALLER)
    expect(deferred.manifest.chunkSize).toBe(known.manifest.chunkSize)
    expect(deferred.manifest.chunkSize * 5).toBeGreaterThanOrEqual(1000)

    const { id } = deferred.manifest
    await append(uploads, id, 0, Buffer.alloc(900, 1))
    const { upload } = await append(uploads, id, 900, Buffer.alloc(100, 2), 1000)
    expect(upload).toMatchObject({ status: 'uploaded', size: 1000 })
  })

  it('has chunks large enough for the largest file also where smaller ones are asked for', async () => {
    const { uploads } = await openUploads({ maxFileSize: 20 * MIB }, { maxChunks: 5 })
    const { manifest } = await uploads.create({ fileName: 'a', fileSize: null, chunkSize: MIB }, CALLER)
    expect(manifest.chunkSize).toBe(4 * MIB)
  })

  it('has chunks of the usual size where the largest file fits into those, or there is none', async () => {
    const fits = await openUploads({ maxFileSize: 500 }, { maxChunks: 5 })
    expect((await fits.uploads.create({ fileName: 'a', fileSize: null }, CALLER)).manifest.chunkSize).toBe(100)
    const unlimited = await openUploads({}, { maxChunks: 5 })
    expect((await unlimited.uploads.create({ fileName: 'a', fileSize: null }, CALLER)).manifest.chunkSize).toBe(100)
  })

  it.each([
    ['a body says that it has more', 600],
    ['a body that does not say how long it is has more', null],
  ])('is FILE_TOO_LARGE beyond what its chunks can hold, where %s', async (_how, contentLength) => {
    // It was created when no largest file was set: its chunks are too small for the one that is set now.
    const before = await openUploads({}, { maxChunks: 5 })
    const id = await create(before.uploads, null)
    await before.uploads.close()
    const { uploads } = await openUploads({ maxFileSize: 1000 }, { maxChunks: 5, directory: before.directory })

    const body = new PassThrough()
    body.end(Buffer.alloc(600, 1))
    await expect(uploads.append(id, { offset: 0, body, contentLength }, CALLER)).rejects.toMatchObject({
      ...TOO_LARGE,
      details: { max: 500 },
    })
    const { upload } = await uploads.progress(id, CALLER)
    for (const size of [501, 1001]) {
      const declaration = append(uploads, id, offsetOf(upload), Buffer.alloc(0), size)
      await expect(declaration).rejects.toMatchObject(TOO_LARGE)
    }
    expect(await uploads.progress(id, CALLER)).toMatchObject({ totalSize: null })
  })

  it('keeps what fits of a body that turns out to be too long, and takes its length then', async () => {
    const { uploads } = await openUploads({ maxFileSize: 500 }, { maxChunks: 5 })
    const id = await create(uploads, null)
    const body = new PassThrough()
    body.end(Buffer.alloc(501, 1))
    const input = { offset: 0, body, contentLength: null }
    await expect(uploads.append(id, input, CALLER)).rejects.toMatchObject({ ...TOO_LARGE, details: { max: 500 } })
    expect(await uploads.progress(id, CALLER)).toMatchObject({ status: 'uploading', uploadedBytes: 500 })
    const { upload } = await append(uploads, id, 500, Buffer.alloc(0), 500)
    expect(upload).toMatchObject({ status: 'uploaded', size: 500 })
  })
})

describe('a chunk that lies further out than the file system goes', () => {
  it('is FILE_TOO_LARGE', async () => {
    const { uploads, files } = await openUploads()
    const id = await create(uploads, 200)
    files.plan = ({ name, path }) =>
      name === 'writev' && path.endsWith('/data') ? { when: 'before', code: 'EFBIG' } : null
    await expect(put(uploads, id, 1)).rejects.toMatchObject(TOO_LARGE)
    expect(await uploads.progress(id, CALLER)).toMatchObject({ uploadedBytes: 0 })
  })
})
