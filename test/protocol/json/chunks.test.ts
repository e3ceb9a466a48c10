import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import {
  type ChunkAnswer,
  chunkHeaders,
  chunkOf,
  dataOf,
  failureOf,
  otherThan,
  sha256,
  someFile,
} from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()

const digestHeader = (bytes: Buffer): string => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`

describe('POST /{id}/chunks', () => {
  it('answers 200 with the number, size, SHA-256, label and times of the chunk', async () => {
    const { client } = server
    const file = someFile(10)
    const { id, fileId } = await client.begin({ fileSize: 10, chunkSize: 4 })
    const asked = Date.now()

    const data = await client.sent(id, 1, chunkOf(file, 4, 1))

    expect(data).toEqual({
      chunkNumber: 1,
      size: 4,
      checksum: sha256(chunkOf(file, 4, 1)),
      storageKey: `uploads/${fileId}/chunks/1`,
      uploadedAt: expect.any(String),
      expiresAt: expect.any(String),
    })
    expect(new Date(data.uploadedAt).toISOString()).toBe(data.uploadedAt)
    expect(new Date(data.expiresAt).toISOString()).toBe(data.expiresAt)
    expect(Date.parse(data.uploadedAt)).toBeGreaterThanOrEqual(asked)
    expect(Date.parse(data.uploadedAt)).toBeLessThanOrEqual(Date.now())
    expect(Date.parse(data.expiresAt)).toBeGreaterThanOrEqual(asked + 24 * 3_600_000)
  })

  it.each([
    ['one byte', 1, 4],
    ['exactly one chunk', 4, 4],
    ['an exact multiple of the chunk size', 12, 4],
    ['a last chunk of one byte', 13, 4],
    ['chunks of one byte', 3, 1],
    ['chunks larger than a socket buffer', 700_001, 300_000],
  ])('stores a file of %s', async (_, fileSize, chunkSize) => {
    const { client } = server
    const file = someFile(fileSize)

    const { id, fileId } = await client.filled(file, { chunkSize })

    expect(await client.completed(id)).toMatchObject({ size: fileSize, checksum: sha256(file) })
    expect((await server.storedFile(fileId)).equals(file)).toBe(true)
  })

  it('takes a body of unknown length', async () => {
    const { client } = server
    const file = someFile(10)
    const { id } = await client.begin({ fileSize: 10, chunkSize: 6 })

    const first = await client.chunk(id, 0, [file.subarray(0, 1), file.subarray(1, 4), file.subarray(4, 6)])
    const last = await client.chunk(id, 1, [file.subarray(6)])

    expect(dataOf(first)).toMatchObject({ size: 6, checksum: sha256(file.subarray(0, 6)) })
    expect(dataOf(last)).toMatchObject({ size: 4, checksum: sha256(file.subarray(6)) })
  })

  it('takes a body that comes a byte at a time', async () => {
    const { client } = server
    const file = someFile(6)
    const { id } = await client.begin({ fileSize: 6 })

    const open = client.openChunk(id, 0, 6)
    for (const byte of file) await open.write(Buffer.of(byte))

    expect(dataOf(await open.end())).toMatchObject({ size: 6, checksum: sha256(file) })
  })

  it('moves the status from initiated to uploading with the first chunk', async () => {
    const { client } = server
    const { id, status } = await client.begin({ fileSize: 8, chunkSize: 4 })
    expect(status).toBe('initiated')

    await client.sent(id, 1, someFile(4))

    expect(await client.progressed(id)).toMatchObject({ status: 'uploading' })
  })

  it('does not complete the upload with the last chunk', async () => {
    const { client } = server
    const { id } = await client.filled(someFile(8), { chunkSize: 4 })

    expect(await client.progressed(id)).toMatchObject({ status: 'uploading', percentComplete: 100, missingChunks: [] })
  })

  it('takes a media type with parameters, in any case, and none at all', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })

    const named = await client.chunk(id, 0, someFile(4), { 'Content-Type': 'Application/Octet-Stream; a=b' })
    const nameless = await client.call('POST', client.target(id, 'chunks'), {
      headers: { 'X-Chunk-Number': '1' },
      body: someFile(4),
    })

    expect([named.status, nameless.status]).toEqual([200, 200])
  })

  it('tells a client that expects it to go on, and takes the chunk', async () => {
    const { client } = server
    const bytes = someFile(4)
    const { id } = await client.begin({ fileSize: 4 })
    const outgoing = request(`${client.url}${client.target(id, 'chunks')}`, {
      method: 'POST',
      headers: { ...chunkHeaders(0), 'Content-Length': 4, Expect: '100-continue' },
    })
    outgoing.flushHeaders()
    await once(outgoing, 'continue')

    outgoing.end(bytes)
    const [incoming] = (await once(outgoing, 'response')) as [{ statusCode: number; resume(): void }]
    incoming.resume()

    expect(incoming.statusCode).toBe(200)
  })
})

describe('a chunk of an upload whose length is deferred', () => {
  it('is a whole one of 5 MiB, and what comes after it makes the file', async () => {
    const { client } = server
    const size = 5 * 1024 * 1024
    const file = someFile(size + 3)
    const tus = { 'Tus-Resumable': '1.0.0' }
    const created = await client.call('POST', '/files', { headers: { ...tus, 'Upload-Defer-Length': '1' } })
    const id = created.headers.location?.split('/').at(-1) ?? ''

    failureOf(await client.chunk(id, 0, someFile(3)), 400, 'CHUNK_SIZE_MISMATCH')
    expect(await client.sent(id, 0, chunkOf(file, size, 0))).toMatchObject({ size })
    expect(await client.resumed(id)).toMatchObject({ nextChunkNumber: 1, totalChunks: null })
    const headers = { ...tus, 'Upload-Offset': size, 'Upload-Length': file.length }
    const patched = await client.call('PATCH', `/files/${id}`, {
      headers: { ...headers, 'Content-Type': 'application/offset+octet-stream' },
    })

    expect(patched.status).toBe(204)
    expect(await client.progressed(id)).toMatchObject({ totalSize: size + 3, missingChunks: [[1, 1]] })
    await client.sent(id, 1, chunkOf(file, size, 1))
    expect(await client.completed(id)).toMatchObject({ checksum: sha256(file) })
  })
})

describe('the same chunk again', () => {
  it('answers 200 with the first answer for the same bytes', async () => {
    const { client } = server
    const file = someFile(8)
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })
    const first = await client.sent(id, 0, chunkOf(file, 4, 0))

    expect(await client.sent(id, 0, chunkOf(file, 4, 0))).toEqual(first)
    expect(dataOf(await client.chunk(id, 0, [chunkOf(file, 4, 0)]))).toEqual(first)
    expect(await client.progressed(id)).toMatchObject({ uploadedBytes: 4, chunksUploaded: 1 })
  })

  it('answers 409 CHUNK_CONFLICT for other bytes and changes nothing', async () => {
    const { client } = server
    const file = someFile(8)
    const { id, fileId } = await client.filled(file, { chunkSize: 4 })
    const before = await client.progressed(id)

    const failure = failureOf(await client.chunk(id, 0, otherThan(chunkOf(file, 4, 0))), 409, 'CHUNK_CONFLICT')

    expect(failure.message).toMatch(/chunk 0\b.*other bytes/i)
    expect(await client.progressed(id)).toEqual({ ...before, bytesPerSecond: expect.any(Number) })
    expect(await client.completed(id)).toMatchObject({ checksum: sha256(file) })
    expect((await server.storedFile(fileId)).equals(file)).toBe(true)
  })

  it('answers as before after completion: 200 for the same bytes, 409 for others', async () => {
    const { client } = server
    const file = someFile(8)
    const { id, fileId } = await client.begin({ fileSize: 8, chunkSize: 4 })
    const first = await client.sent(id, 0, chunkOf(file, 4, 0))
    await client.sent(id, 1, chunkOf(file, 4, 1))
    await client.completed(id)

    const { expiresAt: _, ...firstAnswer } = first
    expect(await client.sent(id, 0, chunkOf(file, 4, 0))).toMatchObject(firstAnswer)
    failureOf(await client.chunk(id, 0, otherThan(chunkOf(file, 4, 0))), 409, 'CHUNK_CONFLICT')
    expect((await server.storedFile(fileId)).equals(file)).toBe(true)
  })

  it('refuses the same bytes with a wrong declared checksum', async () => {
    const { client } = server
    const bytes = someFile(4)
    const { id } = await client.filled(bytes)

    const answer = await client.chunk(id, 0, bytes, { 'X-Chunk-Checksum': sha256('other') })

    failureOf(answer, 422, 'CHECKSUM_MISMATCH')
    expect(await client.sent(id, 0, bytes)).toMatchObject({ checksum: sha256(bytes) })
  })
})

describe('a declared checksum', () => {
  it.each([
    ['X-Chunk-Checksum', (bytes: Buffer) => ({ 'X-Chunk-Checksum': sha256(bytes) })],
    ['X-Chunk-Checksum in upper case', (bytes: Buffer) => ({ 'X-Chunk-Checksum': sha256(bytes).toUpperCase() })],
    ['Content-Digest', (bytes: Buffer) => ({ 'Content-Digest': digestHeader(bytes) })],
    [
      'Content-Digest beside another digest',
      (bytes: Buffer) => ({ 'Content-Digest': `md5=:AAAA:, ${digestHeader(bytes)}` }),
    ],
    ['both', (bytes: Buffer) => ({ 'X-Chunk-Checksum': sha256(bytes), 'Content-Digest': digestHeader(bytes) })],
  ])('is accepted where it is right: %s', async (_, headersFor) => {
    const { client } = server
    const bytes = someFile(4)
    const { id } = await client.begin({ fileSize: 4 })

    const data = dataOf(await client.chunk(id, 0, bytes, headersFor(bytes))) as ChunkAnswer

    expect(data.checksum).toBe(sha256(bytes))
  })

  it.each([
    ['X-Chunk-Checksum', { 'X-Chunk-Checksum': sha256('other') }],
    ['Content-Digest', { 'Content-Digest': digestHeader(Buffer.from('other')) }],
  ])('answers 422 CHECKSUM_MISMATCH where it is wrong, and keeps nothing: %s', async (_, headers) => {
    const { client } = server
    const bytes = someFile(4)
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })

    const failure = failureOf(await client.chunk(id, 0, bytes, headers), 422, 'CHECKSUM_MISMATCH')

    expect(failure.message).toContain(sha256(bytes))
    expect(failure.message).toContain(sha256('other'))
    expect(await client.progressed(id)).toMatchObject({
      status: 'initiated',
      uploadedBytes: 0,
      chunksUploaded: 0,
      missingChunks: [[0, 1]],
    })
    // Other bytes than the refused ones are no conflict.
    expect(await client.sent(id, 0, otherThan(bytes))).toMatchObject({ checksum: sha256(otherThan(bytes)) })
  })
})
