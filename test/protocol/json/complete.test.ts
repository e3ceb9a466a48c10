import { describe, expect, it } from 'vitest'
import { dataOf, failureOf, sha256, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()
const NOBODY = '00000000-0000-4000-8000-000000000000'

describe('POST /{id}/complete', () => {
  it('answers 200 with the finished file, whose bytes are those that were sent', async () => {
    const { client } = server
    const file = someFile(10)
    const { id, fileId } = await client.filled(file, { chunkSize: 4 })
    const asked = Date.now()

    const data = await client.completed(id)

    expect(data).toEqual({
      id: fileId,
      name: 'holiday.mov',
      size: 10,
      contentType: 'video/quicktime',
      status: 'uploaded',
      uploadedAt: expect.any(String),
      checksum: sha256(file),
      checksumType: 'FULL_OBJECT',
    })
    expect(new Date(data.uploadedAt).toISOString()).toBe(data.uploadedAt)
    expect(Date.parse(data.uploadedAt)).toBeGreaterThanOrEqual(asked)
    expect((await server.storedFile(fileId)).equals(file)).toBe(true)
  })

  it('answers the same again', async () => {
    const { client } = server
    const { id } = await client.filled(someFile(10), { chunkSize: 4 })
    const first = await client.completed(id)

    expect(await client.completed(id)).toEqual(first)
  })

  it('makes an empty file of 0 bytes', async () => {
    const { client } = server
    const { id, fileId } = await client.begin({ fileSize: 0 })

    expect(await client.completed(id)).toMatchObject({ id: fileId, size: 0, checksum: sha256('') })
    expect((await server.storedFile(fileId)).length).toBe(0)
    expect(await client.progressed(id)).toMatchObject({ status: 'uploaded', percentComplete: 100 })
  })

  it.each([
    ['no body and no content type', {}],
    ['an empty object', { headers: { 'Content-Type': 'application/json' }, body: '{}' }],
    ['no body under a JSON content type', { headers: { 'Content-Type': 'application/json' } }],
    ['an empty body of unknown length', { headers: { 'Transfer-Encoding': 'chunked' }, body: [] }],
    [
      'an empty body of unknown length under a JSON content type',
      { headers: { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' }, body: [] },
    ],
    [
      'an empty body of another type',
      { headers: { 'Content-Type': 'text/plain;charset=UTF-8', 'Content-Length': '0' } },
    ],
  ])('takes %s', async (_, parts) => {
    const { client } = server
    const { id } = await client.filled(someFile(3))

    expect(await client.completed(id, parts)).toMatchObject({ status: 'uploaded' })
  })

  it('answers 409 CHUNKS_MISSING with the missing ranges, and the upload goes on', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 20, chunkSize: 4 })
    await client.sent(id, 1, someFile(4))
    await client.sent(id, 2, someFile(4))

    const failure = failureOf(await client.complete(id), 409, 'CHUNKS_MISSING')

    expect(failure.details?.missing).toEqual([
      [0, 0],
      [3, 4],
    ])
    expect(await client.progressed(id)).toMatchObject({ status: 'uploading', chunksUploaded: 2 })
    for (const n of [0, 3, 4]) await client.sent(id, n, someFile(4))
    expect(await client.completed(id)).toMatchObject({ status: 'uploaded', size: 20 })
  })

  it('answers 409 CHUNKS_MISSING for an upload that nothing was sent of', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 20, chunkSize: 4 })

    const failure = failureOf(await client.complete(id), 409, 'CHUNKS_MISSING')

    expect(failure.details?.missing).toEqual([[0, 4]])
    expect(await client.progressed(id)).toMatchObject({ status: 'initiated' })
  })

  it('answers 409 CHUNKS_MISSING while the length is deferred', async () => {
    const { client } = server
    const created = await client.call('POST', '/files', {
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Defer-Length': '1' },
    })
    const id = created.headers.location?.split('/').at(-1) ?? ''

    expect(failureOf(await client.complete(id), 409, 'CHUNKS_MISSING').message).toMatch(/length/)
  })

  it('leaves no copy of the bytes in the folder of the upload', async () => {
    const { client } = server
    const { id, fileId } = await client.filled(someFile(10), { chunkSize: 4 })
    await client.completed(id)

    const inventory = await server.inventory()

    expect(inventory).toContain(`files/${fileId}`)
    expect(inventory).not.toContain(`uploads/${id}/data`)
  })

  it('answers a resume or a cancel after it with 409 UPLOAD_COMPLETED, and keeps the file', async () => {
    const { client } = server
    const file = someFile(10)
    const { id, fileId } = await client.filled(file, { chunkSize: 4 })
    await client.completed(id)

    failureOf(await client.resume(id), 409, 'UPLOAD_COMPLETED')
    failureOf(await client.cancel(id), 409, 'UPLOAD_COMPLETED')
    expect((await server.storedFile(fileId)).equals(file)).toBe(true)
    expect(await client.completed(id)).toMatchObject({ checksum: sha256(file) })
  })

  it('answers 404 UPLOAD_NOT_FOUND for an id that nobody has', async () => {
    failureOf(await server.client.complete(NOBODY), 404, 'UPLOAD_NOT_FOUND')
  })

  it.each([
    ['malformed JSON', '{"a":', 400, 'INVALID_REQUEST'],
    ['an array', '[]', 400, 'INVALID_REQUEST'],
    ['null', 'null', 400, 'INVALID_REQUEST'],
    ['far too much', `"${'x'.repeat(2_000_000)}"`, 413, 'BODY_TOO_LARGE'],
  ])('refuses %s as its body, and completes nothing', async (_, body, status, code) => {
    const { client } = server
    const { id } = await client.filled(someFile(3))

    const answer = await client.complete(id, { headers: { 'Content-Type': 'application/json' }, body })

    failureOf(answer, status, code)
    expect(await client.progressed(id)).toMatchObject({ status: 'uploading' })
    dataOf(await client.complete(id))
  })
})
