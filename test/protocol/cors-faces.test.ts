import { randomUUID } from 'node:crypto'
import { request, type IncomingHttpHeaders } from 'node:http'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { EXPOSED_HEADERS, REQUEST_HEADERS } from '../../adapters/cors.ts'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type UploadsOptions } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { tempDir } from '../support/temp-dir.ts'

const ORIGIN = 'https://app.example'
const CORS = { origins: [ORIGIN], credentials: true }

/** Both faces behind named origins, with credentials. */
async function serve(options: Partial<UploadsOptions> = {}): Promise<string> {
  const uploads = createUploads({
    storage: new FileStorage({ directory: await tempDir() }),
    maxFileSize: '1MiB',
    authenticate: ({ headers }) => (headers.cookie === 'user=ann' ? { id: 'ann' } : null),
    ...options,
  })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const server = createServer(holdfast({ uploads, cors: CORS, onError: () => {} })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Told {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

function ask(url: string, method: string, headers: Record<string, string>, body?: string): Promise<Told> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { Origin: ORIGIN, ...headers } }, (response) => {
      response.resume()
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

/** A page can read the answer, with its cookies, and a cache does not hand it to another. */
function expectReadable({ headers }: Told): void {
  expect(headers['access-control-allow-origin']).toBe(ORIGIN)
  expect(headers['access-control-allow-credentials']).toBe('true')
  expect(headers['access-control-expose-headers']).toBe(EXPOSED_HEADERS.join(', '))
  expect(headers.vary).toMatch(/\bOrigin\b/)
}

const COOKIE = { Cookie: 'user=ann' }
const TUS = { 'Tus-Resumable': '1.0.0' }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const NOWHERE = randomUUID()

describe('A page with the cookies of its user', () => {
  it.each(['/files', `/files/${NOWHERE}`, '/api/v1/uploads/initiate', `/api/v1/files/${NOWHERE}/content`])(
    'may send every header to %s, by a preflight without cookies',
    async (path) => {
      const url = await serve()
      const asked = {
        'Access-Control-Request-Method': 'PATCH',
        'Access-Control-Request-Headers': REQUEST_HEADERS.join(',').toLowerCase(),
      }
      const { status, headers } = await ask(url + path, 'OPTIONS', asked)
      expect(status).toBe(204)
      expect(headers['access-control-allow-origin']).toBe(ORIGIN)
      expect(headers['access-control-allow-credentials']).toBe('true')
      // With credentials an asterisk is a name as any other.
      expect(headers['access-control-allow-headers']?.split(', ')).toEqual(expect.arrayContaining([...REQUEST_HEADERS]))
      expect(headers['access-control-allow-methods']?.split(', ')).toEqual(
        expect.arrayContaining(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE']),
      )
    },
  )

  it('reads successes of both faces', async () => {
    const url = await serve()
    const created = await ask(`${url}/files`, 'POST', { ...TUS, ...COOKIE, 'Upload-Length': '2' })
    const upload = new URL(created.headers.location ?? '', url).href
    const initiate = JSON.stringify({ fileName: 'a', fileSize: 0 })
    const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' }
    const answers = [
      created,
      await ask(upload, 'HEAD', { ...TUS, ...COOKIE }),
      await ask(upload, 'PATCH', { ...TUS, ...COOKIE, ...type }, 'ab'),
      await ask(upload, 'GET', COOKIE),
      await ask(upload, 'GET', { ...COOKIE, Range: 'bytes=0-0' }),
      await ask(`${url}/api/v1/uploads/initiate`, 'POST', { ...COOKIE, ...JSON_TYPE }, initiate),
      await ask(upload, 'DELETE', { ...TUS, ...COOKIE }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 204, 200, 206, 201, 204])
    answers.forEach(expectReadable)
  })

  it('reads errors of both faces', async () => {
    const url = await serve()
    const json = `${url}/api/v1/uploads`
    const answers = [
      await ask(`${url}/files`, 'POST', { ...TUS, 'Upload-Length': '2' }),
      await ask(`${json}/initiate`, 'POST', JSON_TYPE, '{}'),
      await ask(`${url}/files/${NOWHERE}`, 'HEAD', { ...TUS, ...COOKIE }),
      await ask(`${json}/${NOWHERE}`, 'GET', COOKIE),
      await ask(`${url}/api/v1/files/${NOWHERE}/content`, 'GET', COOKIE),
      await ask(`${url}/files`, 'POST', { ...TUS, ...COOKIE, 'Upload-Length': '9999999' }),
      await ask(`${json}/initiate`, 'POST', { ...COOKIE, ...JSON_TYPE }, '{"fileName":"a","fileSize":9999999}'),
      await ask(`${json}/initiate`, 'POST', { ...COOKIE, ...JSON_TYPE }, '{'),
      await ask(`${url}/files`, 'POST', { ...COOKIE, 'Tus-Resumable': '2.0.0', 'Upload-Length': '2' }),
      await ask(`${url}/files`, 'PUT', { ...TUS, ...COOKIE }),
      await ask(`${json}/%zz`, 'GET', COOKIE),
    ]
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 404, 404, 404, 413, 413, 400, 412, 405, 404])
    answers.forEach(expectReadable)
  })

  it('reads that an upload is locked, and that something went wrong on the other side', async () => {
    const url = await serve({
      authenticate: () => {
        throw new Error('the users are away')
      },
    })
    const answers = [
      await ask(`${url}/files/${NOWHERE}`, 'HEAD', TUS),
      await ask(`${url}/files`, 'POST', { ...TUS, 'Upload-Length': '2' }),
      await ask(`${url}/api/v1/uploads/${NOWHERE}`, 'GET', {}),
    ]
    expect(answers.map(({ status }) => status)).toEqual([423, 500, 500])
    answers.forEach(expectReadable)
  })
})
