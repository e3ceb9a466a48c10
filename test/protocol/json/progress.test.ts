import { describe, expect, it } from 'vitest'
import { chunkOf, dataOf, failureOf, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()

describe('GET /{id}/progress', () => {
  it('says of a new upload that everything is missing and that no end is in sight', async () => {
    const { client } = server
    const { id, fileId, expiresAt } = await client.begin({ fileSize: 10, chunkSize: 4 })

    const answer = await client.progress(id)

    expect(dataOf(answer)).toEqual({
      sessionId: id,
      fileId,
      fileName: 'holiday.mov',
      totalSize: 10,
      uploadedBytes: 0,
      percentComplete: 0,
      chunksUploaded: 0,
      totalChunks: 3,
      status: 'initiated',
      estimatedTimeRemaining: null,
      bytesPerSecond: 0,
      missingChunks: [[0, 2]],
      chunkSize: 4,
      expiresAt,
    })
    expect(answer.headers['cache-control']).toContain('no-store')
  })

  it('answers the same at /{id}', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 10, chunkSize: 4 })

    const short = await client.call('GET', client.target(id))

    expect(dataOf(short)).toEqual(dataOf(await client.progress(id)))
  })

  it('counts the chunks that are there, and names the missing ones in ranges', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 31, chunkSize: 3 })
    for (const n of [1, 4, 5, 8]) await client.sent(id, n, someFile(3))

    expect(await client.progressed(id)).toMatchObject({
      status: 'uploading',
      uploadedBytes: 12,
      percentComplete: 38.7,
      chunksUploaded: 4,
      totalChunks: 11,
      missingChunks: [
        [0, 0],
        [2, 3],
        [6, 7],
        [9, 10],
      ],
    })
  })

  it('counts a short last chunk by its bytes', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 9, chunkSize: 4 })
    await client.sent(id, 2, someFile(1))

    expect(await client.progressed(id)).toMatchObject({ uploadedBytes: 1, percentComplete: 11.11, chunksUploaded: 1 })
  })

  it('says percentComplete with two decimals at most', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 7, chunkSize: 1 })
    const said: (number | null)[] = []
    for (let n = 0; n < 7; n += 1) {
      await client.sent(id, n, someFile(1))
      said.push((await client.progressed(id)).percentComplete)
    }

    for (const percent of said) expect(String(percent)).toMatch(/^\d{1,3}(\.\d{1,2})?$/)
    expect(said[0]).toBeCloseTo(14.28, 1)
    expect(said[6]).toBe(100)
  })

  it('does not say 100 while a byte is missing', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 100_001, chunkSize: 100_000 })
    await client.sent(id, 0, someFile(100_000))

    expect(await client.progressed(id)).toMatchObject({ percentComplete: 99.99, missingChunks: [[1, 1]] })
  })

  it('estimates the time that remains as HH:MM:SS once bytes have come', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 40_000, chunkSize: 10_000 })
    await client.sent(id, 0, someFile(10_000))
    await client.sent(id, 1, someFile(10_000))

    await expect
      .poll(() => client.progressed(id))
      .toMatchObject({ estimatedTimeRemaining: expect.stringMatching(/^\d{2,}:[0-5]\d:[0-5]\d$/) })
    const { bytesPerSecond } = await client.progressed(id)
    expect(bytesPerSecond).toBeGreaterThan(0)
    expect(bytesPerSecond % 1).toBe(0)
  })

  it('says that no time remains when every byte is there', async () => {
    const { client } = server
    const { id } = await client.filled(someFile(10), { chunkSize: 4 })

    expect(await client.progressed(id)).toMatchObject({ percentComplete: 100, estimatedTimeRemaining: '00:00:00' })
  })

  it('says of a finished upload that it is uploaded', async () => {
    const { client } = server
    const { id, fileId } = await client.filled(someFile(10), { chunkSize: 4 })
    await client.completed(id)

    expect(await client.progressed(id)).toMatchObject({
      sessionId: id,
      fileId,
      status: 'uploaded',
      totalSize: 10,
      uploadedBytes: 10,
      percentComplete: 100,
      chunksUploaded: 3,
      totalChunks: 3,
      missingChunks: [],
    })
  })

  it('says of a file of 0 bytes that all its bytes are there and that it is not done', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 0 })

    expect(await client.progressed(id)).toMatchObject({
      status: 'initiated',
      totalSize: 0,
      uploadedBytes: 0,
      percentComplete: 100,
      chunksUploaded: 0,
      totalChunks: 0,
      missingChunks: [],
    })
  })

  it('has null for the sizes while the length is deferred', async () => {
    const { client } = server
    const created = await client.call('POST', '/files', {
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Defer-Length': '1' },
    })
    expect(created.status).toBe(201)
    const id = created.headers.location?.split('/').at(-1) ?? ''

    expect(await client.progressed(id)).toMatchObject({
      sessionId: id,
      totalSize: null,
      totalChunks: null,
      percentComplete: null,
      estimatedTimeRemaining: null,
      uploadedBytes: 0,
      chunkSize: 5 * 1024 * 1024,
    })
  })

  it('counts what a tus client has sent of a chunk that it has not filled', async () => {
    const { client } = server
    const file = someFile(10)
    const { id } = await client.begin({ fileSize: 10, chunkSize: 4 })
    const answer = await client.call('PATCH', `/files/${id}`, {
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' },
      body: file.subarray(0, 6),
    })
    expect(answer.status).toBe(204)

    expect(await client.progressed(id)).toMatchObject({
      uploadedBytes: 6,
      percentComplete: 60,
      chunksUploaded: 1,
      missingChunks: [[1, 2]],
    })
    await client.sent(id, 1, chunkOf(file, 4, 1))
    expect(await client.progressed(id)).toMatchObject({ uploadedBytes: 8, chunksUploaded: 2 })
  })

  it('does not extend the life of an upload', async () => {
    const { client } = server
    const { id, expiresAt } = await client.begin({ fileSize: 10 })

    await client.progressed(id)

    expect(await client.progressed(id)).toMatchObject({ expiresAt })
  })

  it('answers while a chunk is being received', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })
    const open = client.openChunk(id, 0, 4)
    await open.write(someFile(3))
    await server.hasBegunToWrite(id)

    expect(await client.progressed(id)).toMatchObject({ uploadedBytes: 0, missingChunks: [[0, 1]] })
    dataOf(await open.end(someFile(1)))
  })

  it('answers 404 UPLOAD_NOT_FOUND for an id that nobody has', async () => {
    const { client } = server

    failureOf(await client.progress('00000000-0000-4000-8000-000000000000'), 404, 'UPLOAD_NOT_FOUND')
  })
})
