import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import holdfast from '../../adapters/fastify/index.ts'
import { createUploads, type Action, type Principal, type UploadsOptions } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { callsOn, MOUNTS, nameOf, type Call, type Ids } from '../support/access-calls.ts'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { Wire, type Answer } from '../support/http-wire.ts'
import { tempDir } from '../support/temp-dir.ts'
import { tusJsUpload } from '../e2e/tus-js.ts'

const { api: API, tus: TUS } = MOUNTS
const TUS_VERSION = { 'Tus-Resumable': '1.0.0' }

/** Who is logged in: by `X-User`, while the logins stand. */
const logins = new Set<string>()
/** Who was asked about, by whom. */
const asked: (readonly [Principal | null, Action])[] = []

beforeEach(() => {
  logins.clear()
  for (const user of ['ann', 'eve']) logins.add(user)
  asked.length = 0
})

interface Made extends Ids {
  readonly tusUrl: string
  readonly uploadToken: string
}

async function serve(options: Partial<UploadsOptions> & { readonly tokenInLocation?: boolean } = {}) {
  const { tokenInLocation, ...core } = options
  const storage = new FileStorage({ directory: await tempDir() })
  const uploads = createUploads({ storage, chunkSize: 64 * 1024, ...core })
  await uploads.open()
  const app = Fastify()
  await app.register(holdfast, {
    uploads,
    authenticate: ({ headers }) => {
      const user = headers['x-user']
      return typeof user === 'string' && logins.has(user) ? { id: user, scopes: ['some'] } : null
    },
    ...(tokenInLocation === undefined ? {} : { tokenInLocation }),
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const wire = new Wire(url)
  onTestFinished(async () => {
    wire.close()
    await app.close()
  })
  const send = (call: Call, headers: Readonly<Record<string, string>> = {}): Promise<Answer> => {
    const body = call.body === undefined ? undefined : Buffer.from(call.body)
    return wire.send(call.method, call.path, { headers: { ...call.headers, ...headers }, body })
  }
  const begin = async (user = 'ann', headers: Readonly<Record<string, string>> = {}): Promise<Made> => {
    const answer = await send({
      method: 'POST',
      path: `${API}/initiate`,
      headers: { 'Content-Type': 'application/json', 'X-User': user, ...headers },
      body: JSON.stringify({ fileName: 'a', fileSize: 5 }),
    })
    expect(answer.status).toBe(201)
    return (JSON.parse(answer.body.toString()) as { readonly data: Made }).data
  }
  return { url, wire, uploads, send, begin }
}

type Headers = Readonly<Record<string, string>>

const asBearer = (token: string): Headers => ({ Authorization: `Bearer ${token}` })
const withQuery = (call: Call, token: string): Call => ({ ...call, path: `${call.path}?token=${token}` })

/** What an unfinished upload is sent, each on one of its own; all of it would do for its owner. */
function callsOnUpload(made: Ids): readonly Call[] {
  return callsOn(made).filter(
    ({ method, path }) => path.includes(made.id) && !(method === 'GET' && path.startsWith(TUS)),
  )
}

const CALLS = callsOnUpload({ id: 'an-id', fileId: '' }).length
const tusGet = ({ id }: Ids): Call => ({ method: 'GET', path: `${TUS}/${id}`, headers: {} })
const tusHead = ({ id }: Ids): Call => ({ method: 'HEAD', path: `${TUS}/${id}`, headers: TUS_VERSION })
const tusDelete = ({ id }: Ids): Call => ({ method: 'DELETE', path: `${TUS}/${id}`, headers: TUS_VERSION })
const progress = ({ id }: Ids): Call => ({ method: 'GET', path: `${API}/${id}/progress`, headers: {} })
const complete = ({ id }: Ids): Call => ({ method: 'POST', path: `${API}/${id}/complete`, headers: {} })
const cancel = ({ id }: Ids): Call => ({ method: 'DELETE', path: `${API}/${id}`, headers: {} })
const chunk = ({ id }: Ids): Call => ({
  method: 'POST',
  path: `${API}/${id}/chunks`,
  headers: { 'X-Chunk-Number': '0', 'Content-Type': 'application/octet-stream' },
  body: 'hello',
})

describe('the token of an upload', () => {
  it('comes with its creation, where one has to log in', async () => {
    const { begin, uploads, send } = await serve()
    const made = await begin()
    expect(made.uploadToken).toMatch(/^hfu1_[\w-]{43}$/)
    expect(made.tusUrl).toBe(`${TUS}/${made.id}`)
    const create = { method: 'POST', path: TUS, headers: { ...TUS_VERSION, 'Upload-Length': '5', 'X-User': 'ann' } }
    expect((await send(create)).headers.location).toMatch(/^\/files\/[0-9a-f-]{36}$/)
    const open = await uploads.create({ fileName: 'a', fileSize: 1 }, { principal: null })
    expect(open.uploadToken).toBeNull()
  })

  it('stands in the addresses that tus clients are given, where that is wanted', async () => {
    const { begin, send } = await serve({ tokenInLocation: true })
    const made = await begin()
    expect(made.tusUrl).toBe(`${TUS}/${made.id}?token=${made.uploadToken}`)
    const create = { method: 'POST', path: TUS, headers: { ...TUS_VERSION, 'Upload-Length': '5', 'X-User': 'ann' } }
    const { location = '' } = (await send(create)).headers
    expect(location).toMatch(/^\/files\/[0-9a-f-]{36}\?token=hfu1_[\w-]{43}$/)
    expect((await send({ method: 'HEAD', path: location, headers: TUS_VERSION })).status).toBe(200)
  })

  it('is the same when the creation is repeated', async () => {
    const { begin } = await serve()
    const key = { 'Idempotency-Key': 'once' }
    const [one, other] = [await begin('ann', key), await begin('ann', key)]
    expect(other).toEqual(one)
  })

  it.each([
    ['as a bearer', false],
    ['in the query', true],
  ])('lets one do all that an upload needs, on both faces: %s', async (_how, isInQuery) => {
    const { send, begin } = await serve()
    for (let n = 0; n < CALLS; n += 1) {
      const made = await begin()
      const call = callsOnUpload(made)[n] ?? expect.fail()
      const by = (one: Call): Promise<Answer> =>
        isInQuery ? send(withQuery(one, made.uploadToken)) : send(one, asBearer(made.uploadToken))
      if (call.path.endsWith('/complete')) expect((await by(chunk(made))).status).toBe(200)
      expect((await by(call)).status, nameOf(call)).toBeLessThan(300)
    }
  })

  it('is good for that upload and nothing else', async () => {
    const { send, begin } = await serve()
    const [made, hers, others] = [await begin(), await begin(), await begin('eve')]
    const { uploadToken } = made
    const calls = [
      ...callsOn(hers),
      ...callsOn(others),
      ...callsOn({ id: randomUUID(), fileId: randomUUID() }),
      ...callsOn({ id: made.id.toUpperCase(), fileId: made.fileId }),
      { method: 'POST', path: `${API}/initiate`, headers: { 'Content-Type': 'application/json' }, body: '{}' },
      { method: 'POST', path: TUS, headers: { ...TUS_VERSION, 'Upload-Length': '1' } },
      { method: 'GET', path: API, headers: {} },
    ]
    for (const call of calls) {
      for (const answer of [await send(call, asBearer(uploadToken)), await send(withQuery(call, uploadToken))]) {
        expect(answer.status, nameOf(call)).toBe(401)
        expect(answer.headers['www-authenticate']).toBe('Bearer')
      }
    }
    for (const wrong of [
      `${uploadToken}a`,
      uploadToken.slice(0, -1),
      others.uploadToken,
      uploadToken.toLowerCase(),
      '',
    ]) {
      expect((await send(progress(made), asBearer(wrong))).status, wrong).toBe(401)
    }
    expect((await send(progress(made), asBearer(uploadToken))).status).toBe(200)
  })

  it('tells, when the upload has become a file, only that it has', async () => {
    const { send, begin } = await serve()
    const made = await begin()
    const by = asBearer(made.uploadToken)
    for (const call of [chunk(made), complete(made)]) expect((await send(call, by)).status).toBe(200)
    // Answers that were lost on their way are asked for again.
    expect((await send(complete(made), by)).status).toBe(200)
    const head = await send(tusHead(made), by)
    expect([head.status, head.headers['upload-offset']]).toEqual([200, '5'])
    const over = callsOn(made).filter(
      ({ method, path }) => !path.endsWith('/complete') && !(method === 'HEAD' && path.startsWith(TUS)),
    )
    for (const call of over) expect((await send(call, by)).status, nameOf(call)).toBe(401)
    // Whoever is logged in, too, is not held to it.
    const file = await send(withQuery(tusGet(made), made.uploadToken), { 'X-User': 'ann' })
    expect([file.status, file.body.toString()]).toEqual([200, 'hello'])
    expect((await send(withQuery(tusGet(made), made.uploadToken), { 'X-User': 'eve' })).status).toBe(404)
    expect((await send(withQuery(tusDelete(made), made.uploadToken), { 'X-User': 'ann' })).status).toBe(204)
  })

  it('tells, when the upload is gone, that it is', async () => {
    const { send, begin } = await serve()
    const made = await begin()
    const by = asBearer(made.uploadToken)
    for (const _ of ['once', 'again']) expect((await send(cancel(made), by)).status).toBe(200)
    for (const call of [progress(made), chunk(made), tusHead(made)]) expect((await send(call, by)).status).toBe(410)
  })

  it('is nothing any more when that is long ago', async () => {
    let now = Date.now()
    const { send, begin } = await serve({ now: () => now })
    const [made, gone] = [await begin(), await begin()]
    for (const call of [chunk(made), complete(made)])
      expect((await send(call, asBearer(made.uploadToken))).status).toBe(200)
    expect((await send(cancel(gone), asBearer(gone.uploadToken))).status).toBe(200)
    now += 25 * 3_600_000
    for (const one of [made, gone]) {
      for (const call of [complete(one), tusHead(one), cancel(one)]) {
        expect((await send(call, asBearer(one.uploadToken))).status, nameOf(call)).toBe(401)
      }
    }
  })

  it('acts as the owner without any scope, who may not do by it what he may not do', async () => {
    const denied = new Set<Action>()
    const { send, begin } = await serve({
      authorize: (principal, action, upload) => {
        asked.push([principal, action])
        return principal?.id === upload.owner && !denied.has(action)
      },
    })
    const made = await begin()
    asked.length = 0
    const by = asBearer(made.uploadToken)
    expect((await send(progress(made), by)).status).toBe(200)
    expect((await send(chunk(made), by)).status).toBe(200)
    const principal = { id: 'ann', byUploadToken: true }
    expect(asked).toEqual([
      [principal, 'read'],
      [principal, 'write'],
    ])
    denied.add('complete')
    expect((await send(complete(made), by)).status).toBe(404)
  })

  it('goes on when the login has ended, whatever else is sent with it', async () => {
    const { send, begin } = await serve()
    const made = await begin()
    logins.clear()
    const ended = { 'X-User': 'ann' }
    expect((await send(progress(made), ended)).status).toBe(401)
    expect(
      (await send(withQuery(progress(made), made.uploadToken), { ...ended, Authorization: 'Bearer a.b.c' })).status,
    ).toBe(200)
    for (const call of [chunk(made), complete(made)]) {
      expect((await send(withQuery(call, made.uploadToken), ended)).status).toBe(200)
    }
  })

  it('does not stand in the way of a login by bearer', async () => {
    const app = Fastify()
    const { uploads } = await serve()
    const seen: unknown[] = []
    await app.register(holdfast, {
      uploads,
      authenticate: ({ headers }) => {
        seen.push(headers.authorization)
        return { id: 'ann' }
      },
    })
    onTestFinished(() => app.close())
    for (const authorization of ['Bearer a.b.c', `Bearer hfu1_${'a'.repeat(43)}`, 'Basic YTpi', undefined]) {
      const headers = authorization === undefined ? {} : { authorization }
      expect((await app.inject({ url: `${API}/${randomUUID()}`, headers })).statusCode).toBe(404)
      expect(seen.at(-1)).toBe(authorization)
    }
    expect(seen).toHaveLength(4)
  })

  it('is told to no hook and to nobody who listens', async () => {
    const told: unknown[] = []
    const { begin, send, uploads } = await serve({
      beforeCreate: (upload) => void told.push(upload),
      beforeComplete: (upload) => void told.push(upload),
      onCompleted: (file) => void told.push(file),
      authorize: (principal, action, upload) => told.push([principal, action, upload]) > 0,
    })
    uploads.events.on('created', (upload) => void told.push(upload))
    uploads.events.on('progress', (upload) => void told.push(upload))
    uploads.events.on('completed', (file, upload) => void told.push([file, upload]))
    const made = await begin()
    for (const call of [chunk(made), complete(made)])
      expect((await send(call, asBearer(made.uploadToken))).status).toBe(200)
    expect(told.length).toBeGreaterThan(6)
    expect(JSON.stringify(told)).not.toContain('hfu1_')
  })
})

describe('a login that ends while tus-js-client is sending', () => {
  const BYTES = bytesOf(5, 300_000)

  /** Sends a file by a client whose login ends after its second PATCH. */
  async function sendWhileLoginEnds(tokenInLocation: boolean) {
    const { url, uploads } = await serve({ tokenInLocation })
    let patches = 0
    const sent = tusJsUpload(BYTES, {
      endpoint: `${url}${TUS}`,
      chunkSize: 100_000,
      retryDelays: [0, 0],
      headers: { 'X-User': 'ann' },
      onBeforeRequest: (request) => {
        if (request.getMethod() === 'PATCH') patches += 1
        if (patches === 2) logins.clear()
      },
    })
    return { sent, uploads }
  }

  it('does not cost the upload, where its address brings the token', async () => {
    const { sent, uploads } = await sendWhileLoginEnds(true)
    const id = new URL(await sent.run()).pathname.split('/').at(-1) ?? ''
    expect(sent.requests.map(({ method, offset, status }) => [method, offset, status])).toEqual([
      ['POST', null, 201],
      ['PATCH', 0, 204],
      ['PATCH', 100_000, 204],
      ['PATCH', 200_000, 204],
    ])
    const { file } = await uploads.complete(id, {}, { principal: { id: 'ann' } })
    expect(file.checksum).toBe(sha256Of(BYTES))
  })

  it('ends it for want of one', async () => {
    const { sent } = await sendWhileLoginEnds(false)
    await expect(sent.run()).rejects.toThrow(/401/)
  })
})
