import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CHUNK, useServer } from './running-server.ts'

describe('DELETE', () => {
  const server = useServer()
  const data = randomBytes(2 * CHUNK + 5)

  async function expectGone(path: string): Promise<void> {
    // "For all future requests to this URL, the Server SHOULD respond with the 404 Not Found or 410 Gone status."
    for (const method of ['HEAD', 'DELETE']) {
      expect((await server.client.request(method, path)).status, method).toBe(410)
    }
    // What tus-js-client's own tests want of a terminated upload.
    expect((await server.client.request('GET', path)).status).toBe(404)
    expect((await server.client.patch(path, 0, data.subarray(0, 5))).status).toBe(410)
  }

  it('ends an upload that has no byte', async () => {
    const path = await server.client.create(10)
    // "When receiving a DELETE request for an existing upload the Server SHOULD free associated resources and MUST respond
    // with the 204 No Content status confirming that the upload was terminated."
    const answer = await server.client.request('DELETE', path)
    expect(answer.status).toBe(204)
    expect(answer.body).toHaveLength(0)
    expect(answer.headers['tus-resumable']).toBe('1.0.0')
    await expectGone(path)
  })

  it('ends an upload in the middle and deletes its bytes', async () => {
    const path = await server.client.create(data.length)
    await server.client.patch(path, 0, data.subarray(0, CHUNK + 5))
    expect((await server.client.request('DELETE', path)).status).toBe(204)
    await expect(server.received(path)).resolves.toBe(0)
    await expectGone(path)
  })

  it('removes the file of a finished upload', async () => {
    const path = await server.client.create(data.length)
    await server.client.patch(path, 0, data)
    await expect(server.fileOf(path)).resolves.toHaveLength(data.length)
    expect((await server.client.request('DELETE', path)).status).toBe(204)
    await expect(server.fileOf(path)).resolves.toBeNull()
    await expectGone(path)
  })

  it('ends an upload whose body is still being received', async () => {
    const path = await server.client.create(data.length)
    const live = server.client.openPatch(path, 0, data.length)
    await live.write(data.subarray(0, CHUNK + 5))
    await expect.poll(() => server.received(path), { interval: 10 }).toBe(CHUNK + 5)
    const begun = performance.now()
    expect((await server.client.request('DELETE', path)).status).toBe(204)
    expect(performance.now() - begun).toBeLessThan(3000)
    expect([410, 423]).toContain((await live.answer).status)
    live.cut()
    await expectGone(path)
    await expect(server.received(path)).resolves.toBe(0)
  })

  it('answers 404 where there is no upload', async () => {
    const answer = await server.client.request('DELETE', '/files/00000000-0000-4000-8000-000000000000')
    expect(answer.status).toBe(404)
  })

  it('answers 405 with Allow on the address for creation', async () => {
    const answer = await server.client.request('DELETE', '/files')
    expect(answer.status).toBe(405)
    expect(answer.headers.allow).toContain('POST')
  })
})
