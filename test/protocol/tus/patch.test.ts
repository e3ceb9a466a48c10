import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { OFFSET_OCTET_STREAM, sha256 } from '../../support/tus-client.ts'
import { CHUNK, useServer } from './running-server.ts'

describe('PATCH', () => {
  const server = useServer()
  const data = randomBytes(3 * CHUNK + 1234)

  async function expectFile(path: string, bytes: Buffer): Promise<void> {
    const file = await server.fileOf(path)
    expect(file?.length).toBe(bytes.length)
    expect(sha256(file ?? Buffer.alloc(0))).toBe(sha256(bytes))
  }

  it('answers 204 with the new offset', async () => {
    const path = await server.client.create(data.length)
    const answer = await server.client.patch(path, 0, data.subarray(0, 10))
    // "The Server MUST acknowledge successful PATCH requests with the 204 No Content status. It MUST include the
    // Upload-Offset header containing the new offset. The new offset MUST be the sum of the offset before the PATCH request
    // and the number of bytes received and processed or stored during the current PATCH request."
    expect(answer.status).toBe(204)
    expect(answer.body).toHaveLength(0)
    expect(answer.headers).toMatchObject({ 'upload-offset': '10', 'tus-resumable': '1.0.0' })
  })

  it('takes a whole file across many chunks in one request', async () => {
    const path = await server.client.create(data.length)
    const answer = await server.client.patch(path, 0, data)
    expect(answer.status).toBe(204)
    expect(answer.headers['upload-offset']).toBe(String(data.length))
    await expectFile(path, data)
  })

  // "The Client SHOULD send all the remaining bytes of an upload in a single PATCH request, but MAY also use multiple small
  // requests successively."
  it.each([
    ['smaller than a chunk', 20_011],
    ['as large as a chunk', CHUNK],
    ['that straddle a chunk', CHUNK + 7],
  ])('joins requests %s', async (_, step) => {
    const path = await server.client.create(data.length)
    for (let offset = 0; offset < data.length; offset += step) {
      const end = Math.min(offset + step, data.length)
      const answer = await server.client.patch(path, offset, data.subarray(offset, end))
      expect(answer.status).toBe(204)
      expect(answer.headers['upload-offset']).toBe(String(end))
    }
    await expectFile(path, data)
  })

  it('takes a body of unknown length, across chunks', async () => {
    const path = await server.client.create(data.length)
    const first = await server.client.patch(path, 0, data.subarray(0, 2 * CHUNK + 3), { chunked: true })
    expect(first.status).toBe(204)
    expect(first.headers['upload-offset']).toBe(String(2 * CHUNK + 3))
    const rest = await server.client.patch(path, 2 * CHUNK + 3, data.subarray(2 * CHUNK + 3), { chunked: true })
    expect(rest.status).toBe(204)
    await expectFile(path, data)
  })

  it('takes a body of no bytes', async () => {
    const path = await server.client.create(100)
    await server.client.patch(path, 0, data.subarray(0, 40))
    for (const chunked of [false, true]) {
      const answer = await server.client.patch(path, 40, Buffer.alloc(0), { chunked })
      expect(answer.status).toBe(204)
      expect(answer.headers['upload-offset']).toBe('40')
    }
  })

  it('answers 204 to an empty body at the end, and finishes the upload once', async () => {
    const path = await server.client.create(data.length)
    await server.client.patch(path, 0, data)
    const finishedAt = await uploadedAt(path)
    for (let again = 0; again < 2; again += 1) {
      const answer = await server.client.patch(path, data.length, Buffer.alloc(0))
      expect(answer.status).toBe(204)
      expect(answer.headers['upload-offset']).toBe(String(data.length))
    }
    await expect(uploadedAt(path)).resolves.toBe(finishedAt)
    await expectFile(path, data)
  })

  it('takes a query and a slash at the end of the address', async () => {
    const path = await server.client.create(30)
    for (const [n, suffix] of ['?token=abc', '/', '/?x=/y'].entries()) {
      const answer = await server.client.patch(`${path}${suffix}`, n * 10, data.subarray(n * 10, n * 10 + 10))
      expect(answer.status, suffix).toBe(204)
    }
    await expectFile(path, data.subarray(0, 30))
  })

  it('answers 409 with the offset as it is, and changes nothing', async () => {
    const path = await server.client.create(data.length)
    await server.client.patch(path, 0, data.subarray(0, 50))
    for (const offset of [0, 49, 51, CHUNK, data.length, data.length + 1]) {
      // "If the offsets do not match, the Server MUST respond with the 409 Conflict status without modifying the upload
      // resource."
      const answer = await server.client.patch(path, offset, Buffer.from('other'))
      expect(answer.status, String(offset)).toBe(409)
      expect(answer.headers['upload-offset'], String(offset)).toBe('50')
    }
    const rest = await server.client.patch(path, 50, data.subarray(50))
    expect(rest.status).toBe(204)
    await expectFile(path, data)
  })

  // "All PATCH requests MUST use Content-Type: application/offset+octet-stream, otherwise the server SHOULD return a 415
  // Unsupported Media Type status."
  it.each([['application/octet-stream'], ['text/plain'], ['application/json'], ['multipart/form-data'], [undefined]])(
    'answers 415 to the type %s and takes no byte',
    async (type) => {
      const path = await server.client.create(10)
      const answer = await server.client.patch(path, 0, Buffer.from('{"a": 1}'), { headers: { 'Content-Type': type } })
      expect(answer.status).toBe(415)
      await expect(server.client.offset(path)).resolves.toBe(0)
    },
  )

  it('takes the type with parameters and in other case', async () => {
    const path = await server.client.create(10)
    const headers = { 'Content-Type': `${OFFSET_OCTET_STREAM.toUpperCase()}; charset=binary` }
    expect((await server.client.patch(path, 0, data.subarray(0, 5), { headers })).status).toBe(204)
  })

  // "[Upload-Offset] The value MUST be a non-negative integer."
  it.each([[undefined], ['-1'], ['1.5'], ['abc'], ['0x0'], ['9007199254740992']])(
    'answers 400 to an Upload-Offset of %s and takes no byte',
    async (offset) => {
      const path = await server.client.create(10)
      const answer = await server.client.patch(path, 0, data.subarray(0, 5), { headers: { 'Upload-Offset': offset } })
      expect(answer.status).toBe(400)
      await expect(server.client.offset(path)).resolves.toBe(0)
    },
  )

  it('answers 413 to a body that says it is longer than the upload, and takes no byte', async () => {
    const path = await server.client.create(data.length)
    await server.client.patch(path, 0, data.subarray(0, 50))
    const answer = await server.client.patch(path, 50, randomBytes(data.length))
    expect(answer.status).toBe(413)
    await expect(server.client.offset(path)).resolves.toBe(50)
    expect((await server.client.patch(path, 50, data.subarray(50))).status).toBe(204)
    await expectFile(path, data)
  })

  it.each([
    ['within a chunk', 2 * CHUNK + 100],
    ['at the end of a chunk', 2 * CHUNK],
  ])('answers 413 to a body of unknown length that runs over an upload that ends %s', async (_, size) => {
    const path = await server.client.create(size)
    const answer = await server.client.patch(path, 0, data.subarray(0, size + 1), { chunked: true })
    expect(answer.status).toBe(413)
    // What was taken is what was sent, no more.
    const offset = await server.client.offset(path)
    expect(offset).toBeLessThanOrEqual(size)
    const rest = await server.client.patch(path, offset, data.subarray(offset, size))
    expect(rest.status).toBe(204)
    await expectFile(path, data.subarray(0, size))
  })

  it.each([
    ['with a Content-Length', false],
    ['of unknown length', true],
  ])('answers 413 to bytes %s for an upload that is finished', async (_, chunked) => {
    const path = await server.client.create(10)
    await server.client.patch(path, 0, data.subarray(0, 10))
    const answer = await server.client.patch(path, 10, Buffer.from('more'), { chunked })
    expect(answer.status).toBe(413)
    await expectFile(path, data.subarray(0, 10))
  })

  it('answers 404 where there is no upload, and 410 where there was one', async () => {
    // "If the server receives a PATCH request against a non-existent resource it SHOULD return a 404 Not Found status."
    const unknown = await server.client.patch('/files/00000000-0000-4000-8000-000000000000', 0, data)
    expect(unknown.status).toBe(404)
    // Whatever else is wrong with it.
    const nowhere = '/files/00000000-0000-4000-8000-000000000001'
    expect((await server.client.request('PATCH', nowhere, { body: data })).status).toBe(404)
    const path = await server.client.create(10)
    await server.client.request('DELETE', path)
    expect((await server.client.patch(path, 0, data.subarray(0, 10))).status).toBe(410)
  })

  it('keeps what came before the connection broke, and goes on from there', async () => {
    const path = await server.client.create(data.length)
    const sent = CHUNK + 777
    const open = server.client.openPatch(path, 0, data.length)
    await open.write(data.subarray(0, sent))
    await expect.poll(() => server.received(path), { interval: 10 }).toBe(sent)
    open.cut()
    // "The Server SHOULD always attempt to store as much of the received data as possible."
    await expect(server.client.offset(path)).resolves.toBe(sent)
    expect((await server.client.patch(path, sent, data.subarray(sent))).status).toBe(204)
    await expectFile(path, data)
  })

  it('keeps every byte that reached it before the connection broke in the middle of a fast body', async () => {
    const large = randomBytes(40 * CHUNK)
    for (let round = 0; round < 25; round += 1) {
      const path = await server.client.create(large.length)
      // More than the server reads ahead, so that the cut finds it with bytes in every buffer it has.
      const sent = 20 * CHUNK + Math.floor(Math.random() * 15 * CHUNK)
      const open = server.client.openPatch(path, 0, large.length)
      await open.write(large.subarray(0, sent))
      open.cut()
      await expect.poll(() => server.received(path), { interval: 5, timeout: 10_000 }).toBe(sent)
      await expect(server.client.offset(path)).resolves.toBe(sent)
    }
  })

  async function uploadedAt(path: string): Promise<unknown> {
    const id = path.split('/').at(-1) ?? ''
    const answer = await fetch(`${server.url}/api/v1/uploads/${id}/complete`, { method: 'POST' })
    const { data: file } = (await answer.json()) as { readonly data: { readonly uploadedAt: unknown } }
    expect(file.uploadedAt).toBeDefined()
    return file.uploadedAt
  }
})
