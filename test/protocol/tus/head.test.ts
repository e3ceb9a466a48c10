import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { contentDigest } from '../../support/body-checksums.ts'
import { encodeMetadata } from '../../support/tus-client.ts'
import { CHUNK, idOf, useServer } from './running-server.ts'

const UNKNOWN = '/files/00000000-0000-4000-8000-000000000000'

describe('HEAD', () => {
  const server = useServer()

  it('tells offset and length, may not be cached, and has no body', async () => {
    const path = await server.client.create(1000)
    const before = await server.client.head(path)
    expect(before.status).toBe(200)
    expect(before.body).toHaveLength(0)
    // "The Server MUST always include the Upload-Offset header in the response for a HEAD request, even if the offset is 0,
    // or the upload is already considered completed. If the size of the upload is known, the Server MUST include the
    // Upload-Length header in the response."
    expect(before.headers).toMatchObject({
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'upload-length': '1000',
      // "The Server MUST prevent the client and/or proxies from caching the response by adding the Cache-Control: no-store
      // header to the response."
      'cache-control': 'no-store',
    })
    expect(before.headers).not.toHaveProperty('content-type')
    expect(before.headers['content-length'] ?? '0').toBe('0')
    // "If the length of an upload is not deferred, [Upload-Defer-Length] MUST be omitted."
    expect(before.headers).not.toHaveProperty('upload-defer-length')
    expect(before.headers).not.toHaveProperty('upload-metadata')
    await server.client.patch(path, 0, randomBytes(400))
    expect((await server.client.head(path)).headers['upload-offset']).toBe('400')
    await server.client.patch(path, 400, randomBytes(600))
    const finished = await server.client.head(path)
    expect(finished.status).toBe(200)
    expect(finished.headers).toMatchObject({ 'upload-offset': '1000', 'upload-length': '1000' })
  })

  it('tells the digest of the whole file where it is known', async () => {
    const data = randomBytes(CHUNK)
    const path = await server.client.create(data.length)
    await server.client.patch(path, 0, data.subarray(0, 10))
    expect((await server.client.head(path)).headers).not.toHaveProperty('repr-digest')
    await server.client.patch(path, 10, data.subarray(10))
    // RFC 9530 section 3: it is of the whole file, and the same whatever is sent of it.
    const digest = contentDigest(data)
    expect((await server.client.head(path)).headers['repr-digest']).toBe(digest)
    for (const headers of [{}, { Range: 'bytes=5-7' }]) {
      expect((await server.client.request('GET', path, { headers })).headers['repr-digest']).toBe(digest)
    }

    // Of more than one chunk it is known when somebody has asked for it.
    const large = randomBytes(CHUNK + 1)
    const other = await server.client.create(large.length)
    await server.client.patch(other, 0, large)
    await fetch(`${server.url}/api/v1/uploads/${idOf(other)}/complete`, { method: 'POST' })
    expect((await server.client.head(other)).headers['repr-digest']).toBe(contentDigest(large))
  })

  it('says that a length is deferred until it is known', async () => {
    const path = await server.client.create(null)
    const before = await server.client.head(path)
    // "As long as the length of the upload is not known, the Server MUST set Upload-Defer-Length: 1 in all responses to HEAD
    // requests."
    expect(before.headers).toMatchObject({ 'upload-offset': '0', 'upload-defer-length': '1' })
    expect(before.headers).not.toHaveProperty('upload-length')
    await server.client.patch(path, 0, randomBytes(10), { headers: { 'Upload-Length': 20 } })
    const after = await server.client.head(path)
    expect(after.headers).toMatchObject({ 'upload-offset': '10', 'upload-length': '20' })
    expect(after.headers).not.toHaveProperty('upload-defer-length')
  })

  // "If an upload contains additional metadata, responses to HEAD requests MUST include the Upload-Metadata header and its
  // value as specified by the Client during the creation."
  it.each([
    [
      'pairs in their order',
      encodeMetadata({ z: 'last', filename: 'päper ✓.pdf', filetype: 'application/pdf', a: 'first' }),
    ],
    ['a key without a value', 'is_confidential,filename YQ=='],
    ['an empty value behind a space', 'empty ,filename YQ=='],
    ['a type that is none', encodeMetadata({ filename: 'a', filetype: 'no type at all' })],
    ['bytes that are not UTF-8', `raw ${Buffer.from([0xff, 0xfe, 0x00, 0x80]).toString('base64')}`],
  ])('gives Upload-Metadata back byte for byte: %s', async (_, header) => {
    const path = await server.client.create(5, { 'Upload-Metadata': header })
    expect((await server.client.head(path)).headers['upload-metadata']).toBe(header)
    await server.client.patch(path, 0, randomBytes(5))
    expect((await server.client.head(path)).headers['upload-metadata']).toBe(header)
  })

  it('answers 404 without an offset where there is no upload', async () => {
    const answer = await server.client.head(UNKNOWN)
    // "If the resource is not found, the Server SHOULD return either the 404 Not Found, 410 Gone or 403 Forbidden status
    // without the Upload-Offset header."
    expect(answer.status).toBe(404)
    expect(answer.headers).not.toHaveProperty('upload-offset')
    expect(answer.headers['tus-resumable']).toBe('1.0.0')
    expect(answer.body).toHaveLength(0)
  })

  it('answers 410 without an offset after termination', async () => {
    const path = await server.client.create(CHUNK)
    await server.client.request('DELETE', path)
    const answer = await server.client.head(path)
    expect(answer.status).toBe(410)
    expect(answer.headers).not.toHaveProperty('upload-offset')
  })

  it('takes a query and a slash at the end of the address', async () => {
    const path = await server.client.create(7)
    for (const suffix of ['?token=abc', '/', '/?token=a/b']) {
      const answer = await server.client.head(`${path}${suffix}`)
      expect(answer.status, suffix).toBe(200)
      expect(answer.headers['upload-length'], suffix).toBe('7')
    }
  })
})
