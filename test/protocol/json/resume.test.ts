import { describe, expect, it, vi } from 'vitest'
import { dataOf, failureOf, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()

describe('POST /{id}/resume', () => {
  it('answers 200 with what is there and which chunk to send next', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 18, chunkSize: 4 })
    for (const n of [0, 1, 3]) await client.sent(id, n, someFile(4))

    const data = await client.resumed(id)

    expect(data).toEqual({
      id,
      status: 'active',
      uploadedBytes: 12,
      nextChunkNumber: 2,
      missingChunks: [
        [2, 2],
        [4, 4],
      ],
      chunkSize: 4,
      totalChunks: 5,
      expiresAt: expect.any(String),
    })
    expect(new Date(data.expiresAt).toISOString()).toBe(data.expiresAt)
  })

  it('begins with chunk 0 where nothing has come', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 10, chunkSize: 4 })

    expect(await client.resumed(id)).toMatchObject({ uploadedBytes: 0, nextChunkNumber: 0, missingChunks: [[0, 2]] })
  })

  it('has null for the next chunk where none is missing', async () => {
    const { client } = server
    const { id } = await client.filled(someFile(10), { chunkSize: 4 })

    expect(await client.resumed(id)).toMatchObject({ nextChunkNumber: null, missingChunks: [], uploadedBytes: 10 })
  })

  it('has null for the next chunk of a file of 0 bytes', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 0 })

    expect(await client.resumed(id)).toMatchObject({ nextChunkNumber: null, missingChunks: [], totalChunks: 0 })
  })

  it('extends the life of the upload', async () => {
    const { client } = server
    const { id, expiresAt } = await client.begin({ fileSize: 10 })
    await vi.waitUntil(() => Date.now() > Date.parse(expiresAt) - 24 * 3_600_000 + 5)

    const resumed = await client.resumed(id)

    expect(Date.parse(resumed.expiresAt)).toBeGreaterThan(Date.parse(expiresAt))
    expect(await client.progressed(id)).toMatchObject({ expiresAt: resumed.expiresAt, status: 'initiated' })
  })

  it.each([
    ['no body and no content type', {}],
    ['an empty object', { headers: { 'Content-Type': 'application/json' }, body: '{}' }],
    ['no body under a JSON content type', { headers: { 'Content-Type': 'application/json' } }],
    ['an empty body of unknown length', { headers: { 'Transfer-Encoding': 'chunked' }, body: [] }],
  ])('takes %s', async (_, parts) => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 3 })

    expect(dataOf(await client.resume(id, parts))).toMatchObject({ status: 'active' })
  })

  it('refuses malformed JSON as its body', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 3 })

    const answer = await client.resume(id, { headers: { 'Content-Type': 'application/json' }, body: '{' })

    failureOf(answer, 400, 'INVALID_REQUEST')
  })

  it('answers 410 UPLOAD_CANCELLED for a cancelled upload, and 404 for one that nobody has', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 3 })
    await client.cancel(id)

    failureOf(await client.resume(id), 410, 'UPLOAD_CANCELLED')
    failureOf(await client.resume('00000000-0000-4000-8000-000000000000'), 404, 'UPLOAD_NOT_FOUND')
  })
})
