import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import holdfast, { frameworkErrors, type HoldfastFaceOptions } from '../../adapters/fastify/index.ts'
import { createUploads } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

const API = '/api/v1/uploads'
const HELLO = Buffer.from('hello')
const ORIGIN = 'https://app.example.com'

interface Host {
  readonly server?: FastifyServerOptions
  /** What the application does before it registers the plugin. */
  readonly before?: (app: FastifyInstance) => unknown
  /** What it does after that. */
  readonly after?: (app: FastifyInstance) => unknown
  readonly options?: HoldfastFaceOptions
  readonly directory?: string
}

/** An application with the plugin, on a socket. */
async function listen({ server = {}, before, after, options = {}, directory }: Host = {}) {
  const app = Fastify(server)
  onTestFinished(() => app.close())
  await before?.(app)
  await app.register(holdfast, { storage: new FileStorage({ directory: directory ?? (await tempDir()) }), ...options })
  await after?.(app)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, url, tus: new TusClient(url) }
}

function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const type = { 'Content-Type': 'application/json' }
  return fetch(url, { method: 'POST', headers: { ...type, ...headers }, body: JSON.stringify(body) })
}

async function initiate(url: string, fileSize = 5): Promise<string> {
  const answer = await post(`${url}${API}/initiate`, { fileName: 'a', fileSize })
  return ((await answer.json()) as { data: { id: string } }).data.id
}

function putChunk(url: string, id: string, body = HELLO): Promise<Response> {
  const headers = { 'X-Chunk-Number': '0', 'Content-Type': 'application/octet-stream' }
  return fetch(`${url}${API}/${id}/chunks`, { method: 'POST', headers, body })
}

/** One upload by each face, from its creation to the bytes of the file. */
async function uploadByBoth(url: string, prefix = ''): Promise<void> {
  const tus = new TusClient(url)
  const created = await tus.request('POST', `${prefix}/files`, { headers: { 'Upload-Length': 5 } })
  expect(created.status).toBe(201)
  const path = tus.locationOf(created)
  expect((await tus.patch(path, 0, HELLO)).status).toBe(204)
  expect((await tus.request('GET', path)).body).toEqual(HELLO)

  const base = url + prefix
  const id = await initiate(base)
  expect((await putChunk(base, id)).status).toBe(200)
  // As many clients write it: no body, and a content type all the same.
  const json = { 'Content-Type': 'application/json' }
  const completed = await fetch(`${base}${API}/${id}/complete`, { method: 'POST', headers: json })
  expect(await completed.json()).toMatchObject({ success: true, data: { status: 'uploaded', size: 5 } })
}

describe('a host', () => {
  it('with octet-stream and catch-all parsers of its own loses no byte to them, and keeps them', async () => {
    const { url } = await listen({
      before: (app) => {
        for (const type of ['application/octet-stream', 'application/offset+octet-stream', '*']) {
          app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
        }
      },
      after: (app) => app.post('/own', (request) => ({ bytes: (request.body as Buffer).length })),
    })
    await uploadByBoth(url)
    const own = await fetch(`${url}/own`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: HELLO,
    })
    expect(await own.json()).toEqual({ bytes: 5 })
  })

  it('whose ajv coerces has nothing coerced in an upload', async () => {
    const { url } = await listen({
      server: { ajv: { customOptions: { coerceTypes: 'array', removeAdditional: 'all', useDefaults: true } } },
    })
    for (const fileSize of [true, '5', [5], null]) {
      const answer = await post(`${url}${API}/initiate`, { fileName: 'a', fileSize })
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ error: { code: 'INVALID_REQUEST', details: { field: 'fileSize' } } })
    }
    await uploadByBoth(url)
  })

  it('that registers the plugin below a prefix finds everything there, and app.uploads inside', async () => {
    let inside: unknown
    const { url } = await listenBelow('/v2', (scope) => (inside = scope.uploads))
    await uploadByBoth(url, '/v2')
    expect(inside).toMatchObject({ draining: false })
    expect((await fetch(`${url}/files/x`)).status).toBe(404)
  })

  it('has app.uploads outside the plugin', async () => {
    const { app, url, tus } = await listen()
    const path = await tus.create(5)
    const id = path.split('/').at(-1) ?? ''
    await expect(app.uploads.find(id, { principal: null })).resolves.toMatchObject({ size: 5 })
    expect((await fetch(`${url}${API}/${id}`)).status).toBe(200)
  })

  it('keeps its parsers, validation and form of errors for its own routes', async () => {
    const schema = { body: { type: 'object', properties: { count: { type: 'integer' } } } }
    const { url } = await listen({
      before: (app) => {
        app.setErrorHandler((error: Error, _request, reply) => reply.code(418).send({ mine: error.message }))
        app.setNotFoundHandler((_request, reply) => reply.code(404).send({ mine: 'nothing' }))
      },
      after: (app) => {
        app.post('/count', { schema }, (request) => request.body)
        app.get('/broken', () => Promise.reject(new Error('broken')))
      },
    })
    // Coerced, as Fastify does it.
    expect(await (await post(`${url}/count`, { count: '5' })).json()).toEqual({ count: 5 })
    expect(await (await fetch(`${url}/broken`)).json()).toEqual({ mine: 'broken' })
    expect(await (await fetch(`${url}/nothing`)).json()).toEqual({ mine: 'nothing' })
    // A content type that nobody parses there is refused as before.
    expect((await fetch(`${url}/count`, { method: 'POST', body: new Blob(['x'], { type: 'a/b' }) })).status).toBe(418)
    expect(await (await fetch(`${url}${API}/x`)).json()).toMatchObject({ success: false })
  })

  it('that exposes HEAD routes has no route twice, and its HEAD is that of tus', async () => {
    const { url, tus } = await listen({
      server: { exposeHeadRoutes: true },
      after: (app) => app.get('/files-of-mine', () => 'mine'),
    })
    const path = await tus.create(5)
    expect((await tus.head(path)).headers).toMatchObject({ 'upload-offset': '0', 'upload-length': '5' })
    expect((await fetch(`${url}/files-of-mine`, { method: 'HEAD' })).status).toBe(200)
  })

  it.each(['/files', API])(
    'answers ids of 200 characters, and those that cannot be decoded, below %s in its own form',
    async (mount) => {
      const { url } = await listen({ server: { frameworkErrors, routerOptions: { maxParamLength: 50 } } })
      for (const id of ['a'.repeat(200), 'a/'.repeat(100), '%E0%A4%A']) {
        const answer = await fetch(`${url}${mount}/${id}`, { headers: { 'Tus-Resumable': '1.0.0' } })
        expect(answer.status).toBe(404)
        const body = await answer.text()
        expect(body).toMatch(mount === API ? /"success":false/ : /^There is n/)
      }
    },
  )

  it('whose hook has eaten the body is told so in its log, and nothing is stored', async () => {
    const lines: string[] = []
    const { url, tus } = await listen({
      server: { logger: { level: 'error', stream: { write: (line: string) => void lines.push(line) } } },
      before: (app) =>
        app.addHook('onRequest', async (request) => {
          if (request.headers['x-eat'] !== undefined) for await (const _ of request.raw);
        }),
    })
    const path = await tus.create(5)
    expect((await tus.patch(path, 0, HELLO, { headers: { 'X-Eat': '1' } })).status).toBe(500)
    expect(lines.join('')).toContain(`the body of PATCH ${path} was read before it came here`)
    await expect(tus.offset(path)).resolves.toBe(0)
    const json = await post(`${url}${API}/initiate`, { fileName: 'a', fileSize: 5 }, { 'X-Eat': '1' })
    expect(await json.json()).toMatchObject({ error: { code: 'INTERNAL' } })
  })
})

describe('an auth hook of the host', () => {
  const guard = (app: FastifyInstance): unknown =>
    app.addHook('onRequest', async (request, reply) => {
      if (request.headers.authorization !== 'Bearer ann') return reply.code(401).send({ mine: 'no' })
    })

  it('applies to both faces, whatever the method', async () => {
    const { url } = await listen({ before: guard })
    for (const path of ['/files', '/files/x', API, `${API}/initiate`, `${API}/x/chunks`, '/api/v1/files/x']) {
      for (const method of ['GET', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']) {
        expect((await fetch(url + path, { method })).status, `${method} ${path}`).toBe(401)
      }
    }
  })

  it('lets those in whom it lets in', async () => {
    const { tus } = await listen({ before: guard })
    await expect(tus.create(5, { Authorization: 'Bearer ann' })).resolves.toMatch(/^\/files\//)
  })
})

describe('@fastify/cors', () => {
  const preflight = { Origin: ORIGIN, 'Access-Control-Request-Method': 'PATCH' }

  it('registered first leaves CORS to the plugin, which owns it on its routes', async () => {
    const { url, tus } = await listen({
      before: (app) => app.register(cors, { origin: 'https://other.example' }),
      after: (app) => app.get('/own', () => 'own'),
      options: { cors: { origins: [ORIGIN], credentials: true } },
    })
    const asked = await fetch(`${url}/files`, { method: 'OPTIONS', headers: preflight })
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(asked.headers.get('access-control-allow-headers')).toContain('Upload-Offset')
    expect(asked.headers.get('vary')).toBe('Origin')
    // What the server can do, asked without an origin.
    const discovery = await tus.request('OPTIONS', '/files')
    expect([discovery.status, discovery.headers['tus-version']]).toEqual([204, '1.0.0'])

    const own = await fetch(`${url}/own`, { headers: { Origin: ORIGIN } })
    expect(own.headers.get('access-control-allow-origin')).toBe('https://other.example')
  })

  it('owns CORS where ours is off, and tus still says what it can do', async () => {
    const { url, tus } = await listen({
      before: (app) => app.register(cors, { origin: [ORIGIN], exposedHeaders: ['Upload-Offset', 'Location'] }),
      options: { cors: false, authenticate: ({ headers }) => (headers.authorization ? { id: 'ann' } : null) },
    })
    for (const path of ['/files', `${API}/initiate`, '/api/v1/files/x']) {
      const asked = await fetch(url + path, { method: 'OPTIONS', headers: preflight })
      expect(asked.status).toBe(204)
      expect(asked.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    }
    const discovery = await tus.request('OPTIONS', '/files')
    expect([discovery.status, discovery.headers['tus-version']]).toEqual([204, '1.0.0'])
    const created = await tus.request('POST', '/files', {
      headers: { 'Upload-Length': 5, Origin: ORIGIN, Authorization: 'Bearer x' },
    })
    expect(created.headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-expose-headers': 'Upload-Offset, Location',
    })
  })
})

it('@fastify/helmet adds its headers, and takes none of those that keep downloads harmless', async () => {
  const { url, tus } = await listen({ before: (app) => app.register(helmet) })
  await uploadByBoth(url)
  const path = await tus.create(5)
  await tus.patch(path, 0, HELLO)
  const { headers } = await tus.request('GET', path)
  expect(headers).toMatchObject({
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'strict-transport-security': expect.stringContaining('max-age'),
  })
})

describe('app.close()', () => {
  it('ends an open tus body, keeps what it brought, and does not hang', async () => {
    const directory = await tempDir()
    const bodies = new Bodies()
    const first = await listen({ server: { return503OnClosing: false }, before: bodies.watch, directory })
    const path = await first.tus.create(1000)
    const patch = first.tus.openPatch(path, 0, 1000)
    await patch.write(Buffer.alloc(300, 'a'))
    await expect.poll(() => bodies.received('PATCH', path)).toBe(300)

    await within(5000, first.app.close())
    expect((await patch.answer).status).toBe(423)

    const second = await listen({ directory })
    await expect(second.tus.offset(path)).resolves.toBe(300)
  })

  it('ends an open chunk and an open JSON body, and does not hang', async () => {
    const bodies = new Bodies()
    const { app, url, tus } = await listen({ server: { return503OnClosing: false }, before: bodies.watch })
    const id = await initiate(url, 1000)
    const chunk = tus.open('POST', `${API}/${id}/chunks`, {
      'X-Chunk-Number': 0,
      'Content-Type': 'application/octet-stream',
      'Content-Length': 1000,
    })
    await chunk.write(Buffer.alloc(300, 'a'))
    const json = tus.open('POST', `${API}/initiate`, { 'Content-Type': 'application/json', 'Content-Length': 1000 })
    await json.write(Buffer.from('{"fileName":'))
    await expect.poll(() => bodies.received('POST', `${API}/${id}/chunks`)).toBe(300)
    await expect.poll(() => bodies.received('POST', `${API}/initiate`)).toBe(12)

    await within(5000, app.close())
    for (const answer of [await chunk.answer, await json.answer]) {
      expect(answer.status).toBe(503)
      expect(JSON.parse(answer.body.toString())).toMatchObject({ success: false, error: { code: 'DRAINING' } })
    }
  })

  it('leaves uploads of the application closed too, once', async () => {
    const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }) })
    await uploads.open()
    const app = Fastify()
    await app.register(holdfast, { uploads })
    await app.close()
    expect(uploads.draining).toBe(true)
    await uploads.close()
  })
})

/** An application that registers the plugin in a scope with a prefix. */
async function listenBelow(prefix: string, look: (scope: FastifyInstance) => unknown) {
  const app = Fastify()
  onTestFinished(() => app.close())
  const storage = new FileStorage({ directory: await tempDir() })
  await app.register(
    async (scope) => {
      await scope.register(holdfast, { storage })
      look(scope)
    },
    { prefix },
  )
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

/** Counts what has come of bodies to an application, whoever holds it. */
class Bodies {
  readonly #requests: IncomingMessage[] = []

  readonly watch = (app: FastifyInstance): unknown =>
    app.addHook('onRequest', async ({ raw }) => void this.#requests.push(raw))

  /** Bytes of the body of the latest such request, each of which has a connection of its own. */
  received(method: string, url: string): number {
    const request = this.#requests.findLast((one) => one.method === method && one.url === url)
    if (request === undefined) return 0
    let head = `${method} ${url} HTTP/1.1\r\n\r\n`.length
    for (const part of request.rawHeaders) head += part.length + ': '.length
    return request.socket.bytesRead - head
  }
}

async function within(ms: number, work: PromiseLike<unknown>): Promise<void> {
  const late = delay(ms, 'late', { ref: false })
  expect(await Promise.race([work, late])).not.toBe('late')
}
