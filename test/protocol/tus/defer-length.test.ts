import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type TusAnswer, sha256 } from '../../support/tus-client.ts'
import { CHUNK, useServer } from './running-server.ts'

// "Once it is known the Client MUST set the Upload-Length header in the next PATCH request. Once set the length MUST NOT be
// changed."
describe('A deferred length', () => {
  const server = useServer()
  const data = randomBytes(2 * CHUNK + 500)

  function declare(
    path: string,
    offset: number,
    size: number | string,
    body: Uint8Array = Buffer.alloc(0),
  ): Promise<TusAnswer> {
    return server.client.patch(path, offset, body, { headers: { 'Upload-Length': size } })
  }

  async function expectFile(path: string, bytes: Buffer): Promise<void> {
    const head = await server.client.head(path)
    expect(head.headers).toMatchObject({ 'upload-offset': String(bytes.length), 'upload-length': String(bytes.length) })
    expect(sha256((await server.fileOf(path)) ?? Buffer.from('none'))).toBe(sha256(bytes))
  }

  it('is declared with the last bytes', async () => {
    const path = await server.client.create(null)
    expect((await server.client.patch(path, 0, data.subarray(0, CHUNK + 3))).status).toBe(204)
    const answer = await declare(path, CHUNK + 3, data.length, data.subarray(CHUNK + 3))
    expect(answer.status).toBe(204)
    expect(answer.headers['upload-offset']).toBe(String(data.length))
    await expectFile(path, data)
  })

  it('is declared with the first bytes', async () => {
    const path = await server.client.create(null)
    expect((await declare(path, 0, data.length, data.subarray(0, 9))).status).toBe(204)
    expect((await server.client.patch(path, 9, data.subarray(9))).status).toBe(204)
    await expectFile(path, data)
  })

  it('is declared without a body before there is any byte', async () => {
    const path = await server.client.create(null)
    const answer = await declare(path, 0, data.length)
    expect(answer.status).toBe(204)
    expect(answer.headers['upload-offset']).toBe('0')
    expect((await server.client.patch(path, 0, data)).status).toBe(204)
    await expectFile(path, data)
  })

  it('is declared without a body in the middle', async () => {
    const path = await server.client.create(null)
    await server.client.patch(path, 0, data.subarray(0, CHUNK + 3))
    expect((await declare(path, CHUNK + 3, data.length)).status).toBe(204)
    expect((await server.client.patch(path, CHUNK + 3, data.subarray(CHUNK + 3))).status).toBe(204)
    await expectFile(path, data)
  })

  it.each([
    ['in mid-chunk', CHUNK + 500],
    ['at the end of a chunk', 2 * CHUNK],
    ['before the first chunk is full', 7],
  ])('finishes the upload when it is declared where the bytes end, %s', async (_, size) => {
    const path = await server.client.create(null)
    await server.client.patch(path, 0, data.subarray(0, size))
    await expect(server.fileOf(path)).resolves.toBeNull()
    const answer = await declare(path, size, size)
    expect(answer.status).toBe(204)
    expect(answer.headers['upload-offset']).toBe(String(size))
    await expectFile(path, data.subarray(0, size))
  })

  it('may be 0', async () => {
    const path = await server.client.create(null)
    expect((await declare(path, 0, 0)).status).toBe(204)
    await expectFile(path, Buffer.alloc(0))
  })

  it.each([
    ['in the chunk that is begun', CHUNK + 2],
    ['in a chunk that is full', 5],
    ['as nothing', 0],
  ])('answers 400 when it is declared less than is stored, %s, and changes nothing', async (_, size) => {
    const path = await server.client.create(null)
    await server.client.patch(path, 0, data.subarray(0, CHUNK + 3))
    const answer = await declare(path, CHUNK + 3, size)
    expect(answer.status).toBe(400)
    const head = await server.client.head(path)
    expect(head.headers).toMatchObject({ 'upload-offset': String(CHUNK + 3), 'upload-defer-length': '1' })
    expect((await declare(path, CHUNK + 3, data.length, data.subarray(CHUNK + 3))).status).toBe(204)
    await expectFile(path, data)
  })

  it('answers 413 to a body that runs over the length it declares itself, and takes nothing', async () => {
    const path = await server.client.create(null)
    const answer = await declare(path, 0, 10, data.subarray(0, 11))
    expect(answer.status).toBe(413)
    const head = await server.client.head(path)
    expect(head.headers).toMatchObject({ 'upload-offset': '0', 'upload-defer-length': '1' })
  })

  it('may be declared again as the same, also with an upload that never was deferred', async () => {
    for (const path of [await server.client.create(null), await server.client.create(data.length)]) {
      expect((await declare(path, 0, data.length, data.subarray(0, 10))).status).toBe(204)
      expect((await declare(path, 10, data.length, data.subarray(10))).status).toBe(204)
      expect((await declare(path, data.length, data.length)).status).toBe(204)
      await expectFile(path, data)
    }
  })

  it.each([
    ['more', data.length + 1],
    ['less', data.length - 1],
    ['less than is stored', 9],
  ])('answers 400 when it is declared again as %s, and changes nothing', async (_, size) => {
    for (const path of [await server.client.create(null), await server.client.create(data.length)]) {
      expect((await declare(path, 0, data.length, data.subarray(0, 10))).status).toBe(204)
      const answer = await declare(path, 10, size, data.subarray(10, 12))
      expect(answer.status).toBe(400)
      const head = await server.client.head(path)
      expect(head.headers).toMatchObject({ 'upload-offset': '10', 'upload-length': String(data.length) })
    }
  })

  // "[Upload-Length] The value MUST be a non-negative integer."
  it.each(['-1', '1.5', 'abc'])('answers 400 to %s', async (size) => {
    const path = await server.client.create(null)
    expect((await declare(path, 0, size, data.subarray(0, 10))).status).toBe(400)
    expect((await server.client.head(path)).headers['upload-offset']).toBe('0')
  })
})
