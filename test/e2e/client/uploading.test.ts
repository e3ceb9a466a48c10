import { File } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ResumableUploader, type UploadProgress } from '../../../adapters/client/index.ts'
import { openFile } from '../../../adapters/client/node/index.ts'
import { CHUNK, useServer } from '../../protocol/tus/running-server.ts'
import { sha256 } from '../../support/json-client.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { WatchedFetch } from '../../support/watched-fetch.ts'

const bytes = randomBytes(10 * CHUNK + 5)
const film = new File([bytes], 'film ✓.mp4', { type: 'video/mp4', lastModified: 5 })

describe('ResumableUploader', () => {
  const server = useServer()

  it('uploads a file, and tells how far it is', async () => {
    const told: UploadProgress[] = []
    const watched = new WatchedFetch()
    const uploader = new ResumableUploader(`${server.url}/`, { fetch: watched.fetch })
    uploader.onProgress = (progress) => void told.push(progress)
    const file = await uploader.uploadFile(film, { album: 'x', nested: [1, null] })
    expect(file).toMatchObject({
      name: 'film ✓.mp4',
      size: bytes.length,
      contentType: 'video/mp4',
      status: 'uploaded',
      checksum: sha256(bytes),
    })
    const record = await (await fetch(`${server.url}/api/v1/files/${file.id}`)).json()
    expect(record).toMatchObject({ data: { metadata: { album: 'x', nested: [1, null] } } })
    const stored = await (await fetch(`${server.url}/api/v1/files/${file.id}/content`)).arrayBuffer()
    expect(sha256(Buffer.from(stored))).toBe(sha256(bytes))

    // Each chunk once, with its checksum, and nothing asked in between.
    expect(watched.stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, n) => n))
    expect(watched.calls).toEqual(['initiate', 'complete'])
    const chunks = watched.requests.filter(({ chunk }) => chunk !== null)
    for (const { headers } of chunks) expect(headers.get('X-Chunk-Checksum')).toMatch(/^[0-9a-f]{64}$/)

    const states = told.map(({ state }) => state)
    expect([...new Set(states)]).toEqual(['starting', 'uploading', 'completing', 'done'])
    const amounts = told.map(({ uploadedBytes }) => uploadedBytes)
    expect(amounts).toEqual(amounts.toSorted((a, b) => a - b))
    expect(told.at(-1)).toMatchObject({
      status: 'uploaded',
      totalSize: bytes.length,
      uploadedBytes: bytes.length,
      percentComplete: 100,
      chunksUploaded: 11,
      totalChunks: 11,
      secondsRemaining: 0,
    })
    expect(told.filter(({ status }) => status === 'uploaded')).toHaveLength(1)
    expect(told.some(({ bytesPerSecond }) => bytesPerSecond > 0)).toBe(true)
  })

  it('sends as many chunks at a time as it is told to', async () => {
    let now = 0
    let most = 0
    const watched = new WatchedFetch({
      before: ({ chunk }) => {
        if (chunk !== null) most = Math.max(most, (now += 1))
      },
      after: ({ chunk }) => {
        if (chunk !== null) now -= 1
      },
    })
    const parallelOf = async (parallel: number | undefined): Promise<number> => {
      most = 0
      const options = { fetch: watched.fetch, ...(parallel === undefined ? {} : { parallel }) }
      await new ResumableUploader(server.url, options).uploadFile(film)
      return most
    }
    expect(await parallelOf(undefined)).toBe(3)
    expect(await parallelOf(1)).toBe(1)
    expect(await parallelOf(8)).toBe(8)
  })

  it.each([0, 1, CHUNK, CHUNK + 1])('uploads a file of %i bytes', async (size) => {
    const some = bytes.subarray(0, size)
    const file = await new ResumableUploader(server.url).uploadFile(new Blob([some]), {}, { fileName: 'some.bin' })
    expect(file).toMatchObject({ name: 'some.bin', size, checksum: sha256(some) })
  })

  it('uploads two files at the same time, and one of them twice', async () => {
    const uploader = new ResumableUploader(server.url)
    const other = new File([bytes.subarray(0, 5 * CHUNK)], 'other.bin')
    const files = await Promise.all([uploader.uploadFile(film), uploader.uploadFile(other), uploader.uploadFile(film)])
    const [first, second, third] = files
    expect(first.checksum).toBe(sha256(bytes))
    expect(second.checksum).toBe(sha256(bytes.subarray(0, 5 * CHUNK)))
    expect(third.checksum).toBe(sha256(bytes))
    expect(new Set(files.map(({ id }) => id)).size).toBe(3)
  })

  it('uploads a file of Node, and asks for chunks of another size', async () => {
    const path = join(await tempDir(), 'disk.iso')
    await writeFile(path, bytes)
    const file = await openFile(path)
    onTestFinished(() => file.close())
    const watched = new WatchedFetch()
    const uploader = new ResumableUploader(server.url, { fetch: watched.fetch, chunkSize: 2 * CHUNK })
    await expect(uploader.uploadFile(file)).resolves.toMatchObject({ name: 'disk.iso', checksum: sha256(bytes) })
    expect(watched.stored).toHaveLength(6)
  })

  it('does each step by itself', async () => {
    const uploader = new ResumableUploader(server.url)
    const session = await uploader.initiateUpload(film, { by: 'hand' })
    expect(session).toMatchObject({ fileName: 'film ✓.mp4', chunkSize: CHUNK, totalChunks: 11, status: 'initiated' })
    for (let number = 0; number < session.totalChunks; number += 1) {
      if (number === 4) continue
      const chunk = film.slice(number * CHUNK, (number + 1) * CHUNK)
      await expect(uploader.uploadChunk(session.id, number, chunk)).resolves.toMatchObject({ chunkNumber: number })
    }
    await expect(uploader.getProgress(session.id)).resolves.toMatchObject({ missingChunks: [[4, 4]] })
    await expect(uploader.completeUpload(session.id)).rejects.toMatchObject({
      name: 'ResumableUploadError',
      code: 'CHUNKS_MISSING',
      status: 409,
      details: { missing: [[4, 4]] },
    })
    await expect(uploader.resumeUpload(session.id)).resolves.toMatchObject({ nextChunkNumber: 4 })
    await uploader.uploadChunk(session.id, 4, film.slice(4 * CHUNK, 5 * CHUNK))
    await expect(uploader.completeUpload(session.id)).resolves.toMatchObject({ checksum: sha256(bytes) })
    const other = await uploader.initiateUpload(film)
    await uploader.cancelUpload(other.id)
    await expect(uploader.getProgress(other.id)).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED', status: 410 })
  })

  it('refuses what cannot be done, and says why', async () => {
    expect(() => new ResumableUploader('uploads.example.com')).toThrow('`baseUrl` is "uploads.example.com"')
    expect(() => new ResumableUploader(server.url, { parallel: 0 })).toThrow('`parallel` is 0')
    const uploader = new ResumableUploader(server.url)
    await expect(uploader.uploadFile(new File(['x'], 'a/b'))).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      details: { field: 'fileName' },
    })
    await expect(uploader.uploadFile(film, {}, { checksum: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
    })
    const elsewhere = new ResumableUploader(server.url, { apiPrefix: '/documentation', retries: 0 })
    await expect(elsewhere.uploadFile(film)).rejects.toMatchObject({ code: 'NOT_FOUND', status: 404 })
  })
})
