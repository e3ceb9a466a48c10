import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { encodeMetadata, sha256 } from '../../support/tus-client.ts'
import { CHUNK, useServer } from './running-server.ts'

describe('GET', () => {
  const server = useServer()
  const data = randomBytes(2 * CHUNK + 5)

  async function finished(metadata?: Readonly<Record<string, string>>): Promise<string> {
    const headers = metadata === undefined ? {} : { 'Upload-Metadata': encodeMetadata(metadata) }
    const path = await server.client.create(data.length, headers)
    await server.client.patch(path, 0, data)
    return path
  }

  it('sends the bytes of a finished upload as a download', async () => {
    const path = await finished({ filename: 'päper "one".html', filetype: 'text/html' })
    const answer = await server.client.request('GET', path)
    expect(answer.status).toBe(200)
    expect(sha256(answer.body)).toBe(sha256(data))
    expect(answer.headers).toMatchObject({
      'content-length': String(data.length),
      'content-type': 'text/html',
      'x-content-type-options': 'nosniff',
    })
    const disposition = String(answer.headers['content-disposition'])
    expect(disposition).toMatch(/^attachment;/)
    // RFC 5987: ext-value = charset "'" [ language ] "'" value-chars
    expect(disposition).toContain("filename*=UTF-8''p%C3%A4per%20%22one%22.html")
    expect(disposition).toContain('filename="p_per \\"one\\".html"')
  })

  it('does not want Tus-Resumable: browsers follow links', async () => {
    const path = await finished({ filename: 'a.bin' })
    const answer = await server.client.request('GET', path, { headers: { 'Tus-Resumable': undefined } })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-disposition']).toBe('attachment; filename="a.bin"')
  })

  it('names a type for a file whose client gave none, or none that is one', async () => {
    for (const path of [await finished(), await finished({ filetype: 'x\r\nSet-Cookie: a=b' })]) {
      const answer = await server.client.request('GET', path)
      expect(answer.status).toBe(200)
      expect(answer.headers['content-type']).toBe('application/octet-stream')
      expect(answer.headers).not.toHaveProperty('set-cookie')
    }
  })

  it('sends a file of no bytes', async () => {
    const path = await server.client.create(0)
    const answer = await server.client.request('GET', path)
    expect(answer.status).toBe(200)
    expect(answer.body).toHaveLength(0)
    expect(answer.headers['content-length']).toBe('0')
  })

  it('survives many downloads, whole and broken off', async () => {
    const path = await finished({ filename: 'a.bin' })
    for (let n = 0; n < 20; n += 1) {
      const broken = server.client.open('GET', path, {})
      broken.cut()
    }
    const answers = await Promise.all(Array.from({ length: 30 }, () => server.client.request('GET', path)))
    for (const answer of answers) expect(sha256(answer.body)).toBe(sha256(data))
  })

  it('answers 404 while the upload is not finished, and leaves its PATCH alone', async () => {
    const path = await server.client.create(data.length)
    const live = server.client.openPatch(path, 0, data.length)
    await live.write(data.subarray(0, 100))
    await expect.poll(() => server.received(path), { interval: 10 }).toBe(100)
    expect((await server.client.request('GET', path)).status).toBe(404)
    await live.write(data.subarray(100))
    live.end()
    expect((await live.answer).status).toBe(204)
  })

  it('answers 404 where there is no upload', async () => {
    expect((await server.client.request('GET', '/files/00000000-0000-4000-8000-000000000000')).status).toBe(404)
  })
})
