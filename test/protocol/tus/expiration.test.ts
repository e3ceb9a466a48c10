import { describe, expect, it } from 'vitest'
import { OFFSET_OCTET_STREAM, type TusAnswer } from '../../support/tus-client.ts'
import { useServer } from './running-server.ts'

/** The IMF-fixdate of RFC 9110 section 5.6.7. */
const IMF_FIXDATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/

describe('Upload-Expires', () => {
  const server = useServer({ EXPIRES_AFTER: '3600s' })

  function expectExpires(answer: TusAnswer): void {
    // "The value of the Upload-Expires header MUST be in RFC 9110 datetime format."
    const value = String(answer.headers['upload-expires'])
    expect(value).toMatch(IMF_FIXDATE)
    const left = Date.parse(value) - Date.now()
    expect(left).toBeGreaterThan(3_500_000)
    expect(left).toBeLessThanOrEqual(3_600_000)
  }

  it('stands on every answer about an upload that is not finished', async () => {
    const created = await server.client.request('POST', '/files', { headers: { 'Upload-Length': 10 } })
    // "If the expiration is known at the creation, the Upload-Expires header MUST be included in the response to the initial
    // POST request."
    expectExpires(created)
    const path = server.client.locationOf(created)
    // "This header MUST be included in every PATCH response if the upload is going to expire."
    expectExpires(await server.client.patch(path, 0, Buffer.from('hello')))
    const conflict = await server.client.patch(path, 0, Buffer.from('hello'))
    expect(conflict.status).toBe(409)
    expectExpires(conflict)
    const type = { 'Content-Type': 'text/plain' }
    const wrongType = await server.client.patch(path, 5, Buffer.from('world'), { headers: type })
    expect(wrongType.status).toBe(415)
    expectExpires(wrongType)
    const noOffset = await server.client.patch(path, 5, Buffer.from('world'), {
      headers: { 'Upload-Offset': undefined },
    })
    expect(noOffset.status).toBe(400)
    expectExpires(noOffset)
    expectExpires(await server.client.head(path))
  })

  it('stands on the answer to a creation that brings a first part', async () => {
    const answer = await server.client.request('POST', '/files', {
      headers: { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': 10 },
      body: Buffer.from('hello'),
    })
    expect(answer.status).toBe(201)
    expectExpires(answer)
  })

  it('is not there for a finished upload, which does not expire', async () => {
    const path = await server.client.create(5)
    const last = await server.client.patch(path, 0, Buffer.from('hello'))
    expect(last.status).toBe(204)
    expect(last.headers).not.toHaveProperty('upload-expires')
    expect((await server.client.head(path)).headers).not.toHaveProperty('upload-expires')
  })
})

describe('An upload that is not finished in time', () => {
  const server = useServer({ EXPIRES_AFTER: '1s' })

  it('is gone, while a finished one stays', async () => {
    const finished = await server.client.create(5)
    await server.client.patch(finished, 0, Buffer.from('hello'))
    const path = await server.client.create(10)
    await server.client.patch(path, 0, Buffer.from('hello'))
    // "If a Client does attempt to resume an upload which has since been removed by the Server, the Server SHOULD respond
    // with the 404 Not Found or 410 Gone status. The latter one SHOULD be used if the Server is keeping track of expired
    // uploads."
    await expect.poll(async () => (await server.client.head(path)).status, { interval: 50, timeout: 5000 }).toBe(410)
    expect((await server.client.patch(path, 5, Buffer.from('world'))).status).toBe(410)
    expect((await server.client.request('DELETE', path)).status).toBe(410)
    expect((await server.client.request('GET', path)).status).toBe(410)
    await expect.poll(() => server.received(path), { interval: 50 }).toBe(0)
    expect((await server.client.head(finished)).headers['upload-offset']).toBe('5')
    expect((await server.client.request('GET', finished)).body.toString()).toBe('hello')
  })
})
