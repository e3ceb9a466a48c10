import { describe, expect, it } from 'vitest'
import type { TusAnswer } from '../../support/tus-client.ts'
import { OFFSET_OCTET_STREAM } from '../../support/tus-client.ts'
import { sendRaw } from '../../support/raw-request.ts'
import { useServer } from './running-server.ts'

const ORIGIN = 'https://app.example'

/** Response headers that a client's JavaScript has to read. */
const EXPOSED = [
  'location',
  'retry-after',
  'tus-extension',
  'tus-max-size',
  'tus-resumable',
  'tus-version',
  'upload-defer-length',
  'upload-expires',
  'upload-length',
  'upload-metadata',
  'upload-offset',
]

/** Request headers that a client's JavaScript sends. */
const SENT = [
  'content-type',
  'tus-resumable',
  'upload-defer-length',
  'upload-length',
  'upload-metadata',
  'upload-offset',
  'x-http-method-override',
  'x-request-id',
  'x-requested-with',
]

function list(answer: TusAnswer, name: string): string[] {
  return String(answer.headers[name] ?? '')
    .split(',')
    .map((item) => item.trim().toLowerCase())
}

/** A request with a header of that length. */
function headOf(origin: string, value: string): Buffer {
  return Buffer.from(`GET /files HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\nX-Long: ${value}\r\n\r\n`)
}

describe('A page of another origin', () => {
  const server = useServer()

  function expectReadable(answer: TusAnswer): void {
    expect(['*', ORIGIN]).toContain(answer.headers['access-control-allow-origin'])
    expect(list(answer, 'access-control-expose-headers')).toEqual(expect.arrayContaining(EXPOSED))
  }

  it.each([
    ['POST', '/files'],
    ['PATCH', '/files/00000000-0000-4000-8000-000000000000'],
    ['HEAD', '/files/00000000-0000-4000-8000-000000000000'],
    ['DELETE', '/files/00000000-0000-4000-8000-000000000000'],
    ['GET', '/files/00000000-0000-4000-8000-000000000000'],
  ])('may %s %s, by its preflight', async (method, path) => {
    const answer = await server.client.request('OPTIONS', path, {
      headers: {
        'Tus-Resumable': undefined,
        Origin: ORIGIN,
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': SENT.join(','),
      },
    })
    expect([200, 204]).toContain(answer.status)
    expect(['*', ORIGIN]).toContain(answer.headers['access-control-allow-origin'])
    expect(list(answer, 'access-control-allow-methods')).toContain(method.toLowerCase())
    const allowed = list(answer, 'access-control-allow-headers')
    if (!allowed.includes('*')) expect(allowed).toEqual(expect.arrayContaining(SENT))
  })

  it('is told with its preflight what the server can do, as with every OPTIONS', async () => {
    const answer = await server.client.request('OPTIONS', '/files', {
      headers: { 'Tus-Resumable': undefined, Origin: ORIGIN, 'Access-Control-Request-Method': 'POST' },
    })
    // "A successful response indicated by the 204 No Content or 200 OK status MUST contain the Tus-Version header."
    expect(answer.headers['tus-version']).toBe('1.0.0')
    expect(list(answer, 'tus-extension')).toContain('creation')
    expect(answer.headers['access-control-max-age']).toBe('86400')
  })

  it('does nothing by a preflight that says it means another method', async () => {
    const path = await server.client.create(5)
    const answer = await server.client.request('OPTIONS', path, {
      headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST', 'X-HTTP-Method-Override': 'DELETE' },
    })
    expect(answer.status).toBe(204)
    await expect(server.client.offset(path)).resolves.toBe(0)
  })

  it('is told its rights with an OPTIONS that is no preflight, too', async () => {
    for (const origin of [ORIGIN, undefined]) {
      const answer = await server.client.request('OPTIONS', '/files', { headers: { Origin: origin } })
      expect(list(answer, 'access-control-allow-methods')).toContain('patch')
      expect(list(answer, 'access-control-allow-headers')).toContain('upload-offset')
    }
  })

  it('reads what is answered where nothing is, and where a request is none', async () => {
    const answer = await server.client.request('GET', '/elsewhere', { headers: { Origin: ORIGIN } })
    expect(answer.status).toBe(404)
    expectReadable(answer)
    const raw = await sendRaw(Number(new URL(server.url).port), headOf('https://app.example', 'x'.repeat(20_000)))
    expect(raw).toMatch(/^HTTP\/1.1 431 /)
    expect(raw).toContain('\r\nAccess-Control-Allow-Origin: *\r\n')
    expect(raw).toContain('\r\nAccess-Control-Expose-Headers: ')
  })

  it('may ask for the configuration', async () => {
    const answer = await server.client.request('OPTIONS', '/files', {
      headers: { 'Tus-Resumable': undefined, Origin: ORIGIN },
    })
    expect(answer.status).toBe(204)
    expect(answer.headers['tus-version']).toBe('1.0.0')
    expect(answer.headers).toHaveProperty('tus-extension')
    expectReadable(answer)
  })

  it('can read every answer of the life of an upload', async () => {
    const headers = { Origin: ORIGIN }
    const created = await server.client.request('POST', '/files', { headers: { ...headers, 'Upload-Length': 5 } })
    expect(created.status).toBe(201)
    expectReadable(created)
    const path = server.client.locationOf(created)
    expectReadable(await server.client.head(path, headers))
    const patched = await server.client.patch(path, 0, Buffer.from('hello'), { headers })
    expect(patched.status).toBe(204)
    expectReadable(patched)
    const got = await server.client.request('GET', path, { headers })
    expect(got.status).toBe(200)
    expectReadable(got)
    const deleted = await server.client.request('DELETE', path, { headers })
    expect(deleted.status).toBe(204)
    expectReadable(deleted)
  })

  it('can read errors as well', async () => {
    const headers = { Origin: ORIGIN }
    const path = await server.client.create(10)
    const answers = [
      await server.client.request('POST', '/files', { headers }),
      await server.client.request('POST', '/files', { headers: { ...headers, 'Tus-Resumable': '9' } }),
      await server.client.head('/files/00000000-0000-4000-8000-000000000000', headers),
      await server.client.head('/files/%zz', headers),
      await server.client.patch(path, 5, Buffer.from('hello'), { headers }),
      await server.client.patch(path, 0, Buffer.from('hello'), {
        headers: { ...headers, 'Content-Type': 'text/plain' },
      }),
      await server.client.patch(path, 0, Buffer.alloc(11), { headers }),
      await server.client.request('PUT', path, { headers }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([400, 412, 404, 404, 409, 415, 413, 405])
    for (const answer of answers) expectReadable(answer)
  })

  it('gets one answer about CORS, not two', async () => {
    const answer = await server.client.request('POST', '/files', {
      headers: { Origin: ORIGIN, 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': 5 },
      body: Buffer.from('hello'),
    })
    expect(answer.status).toBe(201)
    expect(answer.headers['access-control-allow-origin']).not.toContain(',')
  })
})

describe('A page of an origin that is not named', () => {
  const server = useServer({ CORS_ORIGINS: 'https://one.example,https://two.example' })

  it('is not allowed, while the named ones are', async () => {
    for (const origin of ['https://one.example', 'https://two.example']) {
      const answer = await server.client.request('POST', '/files', { headers: { Origin: origin, 'Upload-Length': 5 } })
      expect(answer.headers['access-control-allow-origin']).toBe(origin)
      expect(answer.headers.vary?.toLowerCase()).toContain('origin')
    }
    const other = await server.client.request('POST', '/files', { headers: { Origin: ORIGIN, 'Upload-Length': 5 } })
    expect(other.headers['access-control-allow-origin']).not.toBe(ORIGIN)
    expect(other.headers['access-control-allow-origin']).not.toBe('*')
  })

  it('is not allowed where a request is none, while the named ones are', async () => {
    const send = (origin: string) => sendRaw(Number(new URL(server.url).port), headOf(origin, 'x'.repeat(20_000)))
    expect(await send('https://one.example')).toContain('\r\nAccess-Control-Allow-Origin: https://one.example\r\n')
    expect(await send(ORIGIN)).not.toContain('Access-Control-Allow-Origin')
  })
})
