import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { OFFSET_OCTET_STREAM, sha256 } from '../../support/tus-client.ts'
import { CHUNK, useServer } from './running-server.ts'

// "The X-HTTP-Method-Override request header MUST be a string which MUST be interpreted as the request's method by the
// Server, if the header is presented. The actual method of the request MUST be ignored."
describe('X-HTTP-Method-Override', () => {
  const server = useServer()
  const data = randomBytes(CHUNK + 10)

  it('makes a POST a PATCH', async () => {
    const path = await server.client.create(data.length)
    const answer = await server.client.request('POST', path, {
      headers: { 'X-HTTP-Method-Override': 'PATCH', 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': 0 },
      body: data,
    })
    expect(answer.status).toBe(204)
    expect(answer.headers['upload-offset']).toBe(String(data.length))
    expect(sha256((await server.fileOf(path)) ?? Buffer.alloc(0))).toBe(sha256(data))
  })

  it('makes a POST a HEAD', async () => {
    const path = await server.client.create(data.length)
    const answer = await server.client.request('POST', path, { headers: { 'X-HTTP-Method-Override': 'HEAD' } })
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({
      'upload-offset': '0',
      'upload-length': String(data.length),
      'cache-control': 'no-store',
    })
    expect(answer.body).toHaveLength(0)
  })

  it('makes a POST a DELETE', async () => {
    const path = await server.client.create(data.length)
    const answer = await server.client.request('POST', path, { headers: { 'X-HTTP-Method-Override': 'DELETE' } })
    expect(answer.status).toBe(204)
    expect((await server.client.head(path)).status).toBe(410)
  })

  it('counts also where the request has another method that is served', async () => {
    const path = await server.client.create(data.length)
    const answer = await server.client.request('DELETE', path, { headers: { 'X-HTTP-Method-Override': 'HEAD' } })
    expect(answer.status).toBe(200)
    expect((await server.client.head(path)).status).toBe(200)
  })

  it('answers 405 with Allow to a method that is not served', async () => {
    const path = await server.client.create(data.length)
    const answer = await server.client.request('POST', path, { headers: { 'X-HTTP-Method-Override': 'BREW' } })
    expect(answer.status).toBe(405)
    expect(answer.headers.allow).toContain('PATCH')
  })
})
