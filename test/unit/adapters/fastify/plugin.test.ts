import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import holdfast, { frameworkErrors, type HoldfastFaceOptions } from '../../../../adapters/fastify/index.ts'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const API = '/api/v1/uploads'
const TUS = { 'tus-resumable': '1.0.0' }
const OCTETS = { 'content-type': 'application/octet-stream' }

interface Host {
  readonly server?: FastifyServerOptions
  /** What the application does before it registers the plugin. */
  readonly before?: (app: FastifyInstance) => unknown
  readonly options?: HoldfastFaceOptions
}

/** An application with the plugin. */
async function host({ server = {}, before, options = {} }: Host = {}): Promise<FastifyInstance> {
  const app = Fastify(server)
  await before?.(app)
  await app.register(holdfast, { storage: new FileStorage({ directory: await tempDir() }), ...options })
  onTestFinished(() => app.close())
  return app
}

async function initiate(app: FastifyInstance, fileSize = 4): Promise<string> {
  const answer = await app.inject({ method: 'POST', url: `${API}/initiate`, payload: { fileName: 'a', fileSize } })
  expect(answer.statusCode).toBe(201)
  return answer.json().data.id
}

function putChunk(app: FastifyInstance, id: string, payload = 'abcd', headers: Record<string, string> = OCTETS) {
  return app.inject({
    method: 'POST',
    url: `${API}/${id}/chunks`,
    headers: { 'x-chunk-number': '0', ...headers },
    payload,
  })
}

describe('both faces', () => {
  test('write one upload', async () => {
    const app = await host()
    const id = await initiate(app)
    const patch = { ...TUS, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' }
    await app.inject({ method: 'PATCH', url: `/files/${id}`, headers: patch, payload: 'ab' })
    expect((await app.inject({ url: `${API}/${id}` })).json().data).toMatchObject({ uploadedBytes: 2 })
    expect((await putChunk(app, id)).json().data).toMatchObject({ chunkNumber: 0, size: 4 })
    const done = await app.inject({ method: 'POST', url: `${API}/${id}/complete` })
    expect(done.json().data).toMatchObject({ status: 'uploaded', size: 4 })
    expect((await app.inject({ url: `/files/${id}` })).body).toBe('abcd')
  })

  test('are decorated as app.uploads', async () => {
    const app = await host()
    const id = await initiate(app)
    await expect(app.uploads.find(id, { principal: null })).resolves.toMatchObject({ size: 4 })
  })

  test('stand below the prefix of the scope they are registered in', async () => {
    const app = Fastify()
    const storage = new FileStorage({ directory: await tempDir() })
    const parent = async (scope: FastifyInstance): Promise<void> => {
      await scope.register(holdfast, { storage })
    }
    await app.register(parent, { prefix: '/v2' })
    onTestFinished(() => app.close())
    const json = await app.inject({
      method: 'POST',
      url: `/v2${API}/initiate`,
      payload: { fileName: 'a', fileSize: 4 },
    })
    const { id } = json.json().data
    expect(json.headers.location).toBe(`/v2${API}/${id}`)
    expect(json.json().data.tusUrl).toBe(`/v2/files/${id}`)
    expect((await app.inject({ url: `/v2${API}/${id}` })).statusCode).toBe(200)
    expect((await app.inject({ method: 'HEAD', url: `/v2/files/${id}`, headers: TUS })).statusCode).toBe(200)
    const tus = await app.inject({ method: 'POST', url: '/v2/files', headers: { ...TUS, 'upload-length': '4' } })
    expect(tus.headers.location).toMatch(/^\/v2\/files\/[0-9a-f-]{36}$/)
  })
})

describe('finished files', () => {
  async function complete(app: FastifyInstance, api: string): Promise<string> {
    const answer = await app.inject({
      method: 'POST',
      url: `${api}/initiate`,
      payload: { fileName: 'a', fileSize: 0 },
    })
    const { id, fileId } = answer.json().data
    await app.inject({ method: 'POST', url: `${api}/${id}/complete` })
    return fileId
  }

  test.each([
    [{}, API, '/api/v1/files'],
    [{ apiPrefix: '/v2/transfers' }, '/v2/transfers', '/v2/files'],
    [{ apiPrefix: '/up' }, '/up', '/up/files'],
    [{ filesPrefix: '/done' }, API, '/done'],
  ])('with the options %j and the API at %s are at %s', async (options, api, files) => {
    const app = await host({ options })
    const fileId = await complete(app, api)
    expect((await app.inject({ url: `${files}/${fileId}` })).json().data).toMatchObject({ id: fileId, size: 0 })
    const head = await app.inject({ method: 'HEAD', url: `${files}/${fileId}/content` })
    expect(head).toMatchObject({ statusCode: 200, body: '', headers: { 'content-length': '0' } })
    expect((await app.inject({ url: `${files}/x/content` })).json().error.code).toBe('FILE_NOT_FOUND')
  })

  test('have no address where the application wants none', async () => {
    const app = await host({ options: { filesPrefix: false } })
    expect((await app.inject({ url: '/api/v1/files/x' })).json()).not.toHaveProperty('success')
  })

  test.each(['/files', API, 'files', '/files/'])('cannot be at %j', async (filesPrefix) => {
    const app = Fastify()
    const storage = new FileStorage({ directory: await tempDir() })
    await expect(app.register(holdfast, { storage, filesPrefix })).rejects.toThrow('filesPrefix')
  })
})

describe('in an application that', () => {
  test('parses octet streams itself, the bytes reach storage', async () => {
    const app = await host({
      before: (app) =>
        app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_r, body, done) =>
          done(null, body),
        ),
    })
    expect((await putChunk(app, await initiate(app))).statusCode).toBe(200)
  })

  test('coerces, nothing is coerced', async () => {
    const app = await host({ server: { ajv: { customOptions: { coerceTypes: 'array' } } } })
    const answer = await app.inject({
      method: 'POST',
      url: `${API}/initiate`,
      payload: { fileName: 'a', fileSize: true },
    })
    expect(answer.json().error).toMatchObject({ code: 'INVALID_REQUEST', details: { field: 'fileSize' } })
  })

  test('allows bodies of few bytes, chunks may have more', async () => {
    const app = await host({ server: { bodyLimit: 10 } })
    const id = await initiate(app, 1000)
    expect((await putChunk(app, id, 'x'.repeat(1000))).statusCode).toBe(200)
  })

  test.each(['before', 'after'] as const)('adds a hook %s the plugin, the hook applies to both faces', async (when) => {
    const app = Fastify()
    onTestFinished(() => app.close())
    const addHook = (): unknown =>
      app.addHook('preHandler', () => {
        throw Object.assign(new Error('not today'), { statusCode: 403 })
      })
    if (when === 'before') addHook()
    // Not awaited: a plugin that has been loaded does not see hooks that are added later.
    void app.register(holdfast, { storage: new FileStorage({ directory: await tempDir() }) })
    if (when === 'after') addHook()
    const json = await app.inject({ method: 'POST', url: `${API}/initiate`, payload: {} })
    expect(json.json()).toMatchObject({ success: false, error: { code: 'FORBIDDEN', message: 'not today' } })
    const tus = await app.inject({ method: 'POST', url: '/files', headers: { ...TUS, 'upload-length': '4' } })
    expect(tus.statusCode).toBe(403)
    expect(tus.headers).toMatchObject({ 'tus-resumable': '1.0.0', 'access-control-allow-origin': '*' })
  })

  test('lets a hook read bodies, the request fails clearly', async () => {
    const lines: string[] = []
    const app = await host({
      server: { logger: { level: 'error', stream: { write: (line: string) => void lines.push(line) } } },
      before: (app) =>
        app.addHook('preParsing', async (request, _reply, payload) => {
          for await (const _ of request.raw);
          return payload
        }),
    })
    const answer = await app.inject({ method: 'POST', url: `${API}/initiate`, payload: { fileName: 'a', fileSize: 1 } })
    expect(answer.json()).toMatchObject({ success: false, error: { code: 'INTERNAL' } })
    expect(lines.join('')).toMatch(/was read before it came here/)
  })
})

describe('every failure under the prefix has the form of the API', () => {
  test.each([
    ['GET', '', 401, 'UNAUTHENTICATED'],
    ['GET', '/', 401, 'UNAUTHENTICATED'],
    ['GET', '/a/b/c', 404, 'NOT_FOUND'],
    ['GET', `/${'a'.repeat(200)}`, 404, 'UPLOAD_NOT_FOUND'],
    ['POST', `/${'a'.repeat(200)}/chunks`, 404, 'UPLOAD_NOT_FOUND'],
    ['GET', '/%00', 404, 'UPLOAD_NOT_FOUND'],
    ['GET', '/a%2Fb', 404, 'UPLOAD_NOT_FOUND'],
    ['GET', '/%E0%A4%A', 404, 'UPLOAD_NOT_FOUND'],
    ['PUT', '/x', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/initiate', 405, 'METHOD_NOT_ALLOWED'],
  ] as const)('%s %s', async (method, path, status, code) => {
    const app = await host({ server: { frameworkErrors } })
    const answer = await app.inject({ method, url: API + path })
    expect(answer.statusCode).toBe(status)
    expect(answer.json()).toMatchObject({ success: false, error: { code } })
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    })
  })

  test('a content type that Fastify cannot read', async () => {
    const app = await host()
    const answer = await putChunk(app, await initiate(app), 'abcd', { 'content-type': 'x' })
    expect(answer.json()).toMatchObject({ success: false, error: { code: 'UNSUPPORTED_MEDIA_TYPE' } })
  })
})

describe('authenticate', () => {
  const authenticate: HoldfastFaceOptions['authenticate'] = (request) => {
    const { authorization } = request.headers
    if (authorization === 'broken') throw new Error('secret')
    return authorization === undefined ? null : { id: authorization }
  }

  test('is asked on both faces', async () => {
    const app = await host({ options: { authenticate } })
    const json = { method: 'POST', url: `${API}/initiate`, payload: { fileName: 'a', fileSize: 4 } } as const
    const tus = { method: 'POST', url: '/files', headers: { ...TUS, 'upload-length': '4' } } as const
    expect((await app.inject(json)).json().error.code).toBe('UNAUTHENTICATED')
    expect((await app.inject(tus)).statusCode).toBe(401)
    const mine = await app.inject({ ...json, headers: { authorization: 'alice' } })
    await expect(app.uploads.find(mine.json().data.id, { principal: { id: 'alice' } })).resolves.toMatchObject({
      manifest: { owner: 'alice' },
    })
    expect((await app.inject({ ...tus, headers: { ...tus.headers, authorization: 'bob' } })).statusCode).toBe(201)
  })

  test('is not asked of a preflight, nor of what the server can do', async () => {
    const app = await host({ options: { authenticate } })
    const preflight = { origin: 'https://a.example', 'access-control-request-method': 'PATCH' }
    expect((await app.inject({ method: 'OPTIONS', url: '/files', headers: preflight })).statusCode).toBe(204)
    expect((await app.inject({ method: 'OPTIONS', url: `${API}/initiate`, headers: preflight })).statusCode).toBe(204)
    const discovery = await app.inject({ method: 'OPTIONS', url: '/files' })
    expect(discovery.headers).toMatchObject({ 'tus-version': '1.0.0' })
  })

  test('is asked of an OPTIONS that means another method', async () => {
    const app = await host({ options: { authenticate } })
    const headers = { ...TUS, 'x-http-method-override': 'POST', 'upload-length': '4' }
    expect((await app.inject({ method: 'OPTIONS', url: '/files', headers })).statusCode).toBe(401)
  })

  test('tells nothing when it fails', async () => {
    const app = await host({ options: { authenticate } })
    const answer = await app.inject({ url: `${API}/x`, headers: { authorization: 'broken' } })
    expect(answer.statusCode).toBe(500)
    expect(answer.body).not.toContain('secret')
    const head = await app.inject({ method: 'HEAD', url: '/files/x', headers: { ...TUS, authorization: 'broken' } })
    expect(head.statusCode).toBe(423)
  })
})

describe('CORS', () => {
  test('reaches errors too', async () => {
    const app = await host({ options: { cors: { origins: ['https://a.example'], credentials: true } } })
    const answer = await app.inject({ url: `${API}/x`, headers: { origin: 'https://a.example' } })
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'https://a.example',
      'access-control-allow-credentials': 'true',
      vary: 'Origin',
    })
  })

  test('can be left to something else', async () => {
    const app = await host({ options: { cors: false } })
    const answer = await app.inject({ url: `${API}/x`, headers: { origin: 'https://a.example' } })
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

test('an answer to HEAD has headers and no body', async () => {
  const app = await host()
  const id = await initiate(app)
  const head = await app.inject({ method: 'HEAD', url: `/files/${id}`, headers: TUS })
  expect(head.body).toBe('')
  expect(head.headers).toMatchObject({ 'upload-offset': '0', 'upload-length': '4' })
  expect(head.headers).not.toHaveProperty('content-type')
})

test('an answer without a body has none', async () => {
  const app = await host()
  const created = await app.inject({ method: 'POST', url: '/files', headers: { ...TUS, 'upload-length': '4' } })
  expect(created.statusCode).toBe(201)
  expect(created.body).toBe('')
})

test.each([
  [{ tusPath: 'files' }, /tusPath/],
  [{ apiPrefix: '/files' }, /must differ/],
  [{ publicUrl: 'x' }, /publicUrl/],
  [{ cors: { origins: '*', credentials: true } }, /cors\.credentials/],
] as const)('refuses %j at registration', async (options, message) => {
  const app = Fastify()
  onTestFinished(() => app.close())
  const storage = new FileStorage({ directory: await tempDir() })
  await expect(async () => app.register(holdfast, { storage, ...options })).rejects.toThrow(message)
})
