import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Call, callsOn, CREATIONS, type Ids, MOUNTS, nameOf } from '../support/access-calls.ts'
import { type Answer, Wire } from '../support/http-wire.ts'
import { runServerProcess, type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { makeTempDir, tempDir } from '../support/temp-dir.ts'

const TIMEOUT = { timeout: 40_000 }
const { api: API, files: FILES } = MOUNTS
const JSON_TYPE = { 'Content-Type': 'application/json' }

/** Random, so that nothing but the secret itself looks like it. */
const secret = (): string => randomBytes(24).toString('hex')

type Headers = Readonly<Record<string, string>>

/** Beside what makes an upload, what there is not: nobody learns which. */
const OTHER_CALLS: readonly Call[] = [
  ...CREATIONS,
  { method: 'GET', path: MOUNTS.api, headers: {} },
  { method: 'OPTIONS', path: MOUNTS.api, headers: {} },
  { method: 'PUT', path: MOUNTS.tus, headers: {} },
  {
    method: 'OPTIONS',
    path: MOUNTS.tus,
    headers: { 'X-HTTP-Method-Override': 'POST', 'Upload-Length': '1', 'Tus-Resumable': '1.0.0' },
  },
]

async function begin(wire: Wire, credentials: Headers): Promise<Ids> {
  const body = Buffer.from('{"fileName":"hers.txt","fileSize":5}')
  const answer = await wire.send('POST', `${API}/initiate`, { headers: { ...JSON_TYPE, ...credentials }, body })
  expect(answer.status, answer.body.toString()).toBe(201)
  return (JSON.parse(answer.body.toString()) as { readonly data: Ids }).data
}

async function finish(wire: Wire, credentials: Headers): Promise<Ids> {
  const made = await begin(wire, credentials)
  for (const call of callsOn(made).slice(2, 4)) expect((await ask(wire, call, credentials)).status).toBe(200)
  return made
}

function ask(wire: Wire, { method, path, headers, body }: Call, credentials: Headers = {}): Promise<Answer> {
  const bytes = body === undefined ? undefined : Buffer.from(body)
  return wire.send(method, path, { headers: { ...headers, ...credentials }, body: bytes })
}

function get(wire: Wire, path: string, credentials: Headers = {}): Promise<Answer> {
  return wire.send('GET', path, { headers: credentials })
}

function tus(wire: Wire, method: string, path: string, credentials: Headers = {}): Promise<Answer> {
  return wire.send(method, path, { headers: { 'Tus-Resumable': '1.0.0', ...credentials } })
}

/** An answer without what differs between any two. */
function plain({ status, headers, body }: Answer, { id, fileId }: Ids) {
  const { date: _date, 'x-request-id': _requestId, ...rest } = headers
  const text = body.toString().replace(/"requestId":"[^"]*"/, '')
  return { status, headers: rest, body: text.replaceAll(id, 'ID').replaceAll(fileId, 'FILE') }
}

interface Started {
  readonly server: ServerProcess
  readonly wire: Wire
}

async function start(variables: Headers): Promise<Started> {
  const server = await startServerProcess(await tempDir(), variables)
  const wire = new Wire(server.url)
  onTestFinished(async () => {
    wire.close()
    await server.kill()
  })
  return { server, wire }
}

describe('AUTH=api-key', () => {
  const keys = { ann: secret(), eve: secret() }
  const as = (name: keyof typeof keys): Headers => ({ Authorization: `Bearer ${keys[name]}` })
  let directory = ''
  let server: ServerProcess
  let wire: Wire

  beforeAll(async () => {
    directory = await makeTempDir()
    // On a host that is not loopback, which it may be now.
    const variables = {
      HOST: '0.0.0.0',
      AUTH: 'api-key',
      API_KEYS: `ann:${keys.ann},eve:${keys.eve}`,
      LOG_LEVEL: 'trace',
    }
    server = await startServerProcess(directory, variables)
    wire = new Wire(server.url.replace('0.0.0.0', '127.0.0.1'))
  })

  afterAll(async () => {
    wire.close()
    await server.kill()
    await rm(directory, { recursive: true, force: true })
  })

  it('asks nobody’s key in vain: 401 on everything, with what it wants', TIMEOUT, async () => {
    const made = await begin(wire, as('ann'))
    const done = await finish(wire, as('ann'))
    for (const call of [...callsOn(made), ...callsOn(done), ...OTHER_CALLS]) {
      const nobody = await ask(wire, call)
      expect(nobody.status, nameOf(call)).toBe(401)
      expect(nobody.headers['www-authenticate']).toBe('Bearer')
      for (const wrong of [{ Authorization: `Bearer ${secret()}` }, { 'X-API-Key': secret() }]) {
        const stranger = await ask(wire, call, wrong)
        expect(stranger.status, nameOf(call)).toBe(401)
        expect(stranger.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
      }
    }
    const progress = await get(wire, `${API}/${made.id}`, as('ann'))
    expect(JSON.parse(progress.body.toString())).toMatchObject({ data: { status: 'initiated', uploadedBytes: 0 } })
  })

  it(
    'gives an upload a token, which stands in no log, on no disk, and in nothing that inspect tells',
    TIMEOUT,
    async () => {
      const body = Buffer.from('{"fileName":"hers.txt","fileSize":5}')
      const answer = await wire.send('POST', `${API}/initiate`, { headers: { ...JSON_TYPE, ...as('ann') }, body })
      const { data } = JSON.parse(answer.body.toString()) as { readonly data: Ids & { readonly uploadToken: string } }
      const { uploadToken: token } = data
      for (const call of callsOn(data).slice(0, 4)) {
        const mistake = { ...call, method: 'PUT' }
        for (const one of [call, mistake]) {
          const [byHeader, inQuery] = [
            await ask(wire, one, { Authorization: `Bearer ${token}` }),
            await ask(wire, { ...one, path: `${one.path}?token=${token}` }),
          ]
          expect(byHeader.status, nameOf(one)).toBe(one === mistake ? 405 : 200)
          expect(inQuery.status, nameOf(one)).toBe(byHeader.status)
        }
      }
      await expect.poll(() => server.output().match(new RegExp(`${data.id}/complete`, 'g'))?.length).toBe(4)
      expect(server.output()).not.toContain(token.slice(5))
      const { stdout } = await runServerProcess({ DATA_DIR: directory }, ['inspect', data.id, '--json'])
      expect(stdout).toContain(data.fileId)
      expect(stdout).not.toContain(token.slice(5))
      const names = await readdir(directory, { recursive: true, withFileTypes: true })
      const files = names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name))
      expect(files.length).toBeGreaterThan(4)
      for (const file of files) expect((await readFile(file)).includes(token.slice(5)), file).toBe(false)
    },
  )

  it('says so in the form of each face', TIMEOUT, async () => {
    const json = await get(wire, `${API}/${randomUUID()}`, { 'X-API-Key': 'x' })
    expect(JSON.parse(json.body.toString())).toMatchObject({
      success: false,
      error: { code: 'UNAUTHENTICATED', message: 'The API key is not valid.' },
    })
    const tus = await get(wire, `/files/${randomUUID()}`, { 'X-API-Key': 'x' })
    expect(tus.body.toString()).toBe('The API key is not valid.\n')
    expect(tus.headers['tus-resumable']).toBe('1.0.0')
  })

  it('takes a key from either header', TIMEOUT, async () => {
    const { id } = await begin(wire, { 'X-API-Key': keys.ann })
    expect((await get(wire, `${API}/${id}`, as('ann'))).status).toBe(200)
    expect((await tus(wire, 'HEAD', `/files/${id}`, { 'X-API-Key': keys.ann })).status).toBe(200)
  })

  it('answers a stranger as if there were nothing, to the letter, whatever there is', TIMEOUT, async () => {
    const cancelled = await begin(wire, as('ann'))
    expect((await wire.send('DELETE', `${API}/${cancelled.id}`, { headers: as('ann') })).status).toBe(200)
    const targets = [await begin(wire, as('ann')), await finish(wire, as('ann')), cancelled]
    for (const ids of targets) {
      for (const [n, call] of callsOn(ids).entries()) {
        const absent = { id: randomUUID(), fileId: randomUUID() }
        const stranger = await ask(wire, call, as('eve'))
        const nothing = await ask(wire, callsOn(absent)[n] ?? call, as('eve'))
        expect(stranger.status, nameOf(call)).toBe(404)
        expect(plain(stranger, ids), nameOf(call)).toEqual(plain(nothing, absent))
      }
    }
    const [begun, finished] = targets
    const progress = await get(wire, `${API}/${begun?.id}`, as('ann'))
    expect(JSON.parse(progress.body.toString())).toMatchObject({ data: { status: 'initiated', uploadedBytes: 0 } })
    const content = await get(wire, `${FILES}/${finished?.fileId}/content`, as('ann'))
    expect(content.body.toString()).toBe('hello')
  })

  it('an Idempotency-Key of somebody else’s means another upload', TIMEOUT, async () => {
    const once = { 'Idempotency-Key': randomUUID() }
    const [hers, again, other] = [
      await begin(wire, { ...as('ann'), ...once }),
      await begin(wire, { ...as('ann'), ...once }),
      await begin(wire, { ...as('eve'), ...once }),
    ]
    expect(again.id).toBe(hers.id)
    expect(other.id).not.toBe(hers.id)
  })

  it('tells everybody what it can do, and that it is there', TIMEOUT, async () => {
    const preflight = { Origin: 'https://app.example', 'Access-Control-Request-Method': 'PATCH' }
    const asking = { ...preflight, 'Access-Control-Request-Headers': 'authorization' }
    const open: readonly (readonly [method: string, path: string, headers: Headers, status: number])[] = [
      ['OPTIONS', '/files', preflight, 204],
      ['OPTIONS', `${API}/initiate`, preflight, 204],
      ['OPTIONS', `/files/${randomUUID()}`, asking, 204],
      ['OPTIONS', '/files', {}, 204],
      ['GET', '/healthz', {}, 200],
      ['GET', '/readyz', {}, 200],
      ['GET', '/documentation', {}, 200],
      ['GET', '/documentation/json', {}, 200],
    ]
    for (const [method, path, headers, status] of open) {
      expect((await wire.send(method, path, { headers })).status, `${method} ${path}`).toBe(status)
    }
    const allowed = (await wire.send('OPTIONS', '/files', { headers: preflight })).headers[
      'access-control-allow-headers'
    ]
    expect(allowed).toMatch(/Authorization.*X-API-Key/)
    const document = (await get(wire, '/documentation/json')).body.toString()
    expect(JSON.parse(document)).toMatchObject({
      components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'X-API-Key' } } },
      security: [{ key: [] }, { bearer: [] }],
    })
    expect(document).not.toMatch(/\bann\b|\beve\b/)
  })

  it('tells its log no key, right or wrong, wherever it stood', TIMEOUT, async () => {
    const [wrong, queried] = [secret(), secret()]
    const id = randomUUID()
    for (const headers of [
      as('ann'),
      { 'X-API-Key': keys.ann },
      { Authorization: `Bearer ${wrong}` },
      { Cookie: wrong },
    ]) {
      for (const path of [`${API}/${id}?token=${queried}`, `/files/${id}?token=${queried}`, `/x?token=${queried}`]) {
        await get(wire, path, headers)
      }
      await get(wire, `${API}/%ff?token=${queried}`, headers)
    }
    // A client that goes, and one that sends what is no HTTP.
    const going = new Wire(wire.url)
    const body = Buffer.alloc(100_000)
    const gone = going.send('POST', `${API}/initiate?token=${queried}`, {
      headers: { ...JSON_TYPE, ...as('ann') },
      body,
      pieceBytes: () => 1000,
      onSent: () => going.close(),
    })
    await expect(gone).rejects.toThrow()
    await get(wire, '/last', { 'X-Request-ID': 'the-last' })
    await expect.poll(() => server.output()).toContain('the-last')
    expect(server.output()).toContain(id)
    for (const hidden of [keys.ann, keys.eve, wrong, queried]) expect(server.output()).not.toContain(hidden)
    // A server that asks everybody has nothing to warn of.
    expect(server.output()).not.toContain('"level":40')
  })
})

describe('AUTH=jwt', () => {
  const SECRET = secret()

  function token(claims: Readonly<Record<string, unknown>>): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from(SECRET))
  }

  const bearer = (text: string): Headers => ({ Authorization: `Bearer ${text}` })

  it('with a secret: uploads are whose sub is theirs, and whose scope is admin', TIMEOUT, async () => {
    const checks = { JWT_ISSUER: 'https://id.example', JWT_AUDIENCE: 'uploads' }
    const { server, wire } = await start({ AUTH: 'jwt', JWT_SECRET: SECRET, LOG_LEVEL: 'trace', ...checks })
    const claims = { iss: 'https://id.example', aud: 'uploads' }
    const [ann, eve, admin, elsewhere] = await Promise.all(
      [
        { ...claims, sub: 'ann' },
        { ...claims, sub: 'eve', scope: 'uploads' },
        { ...claims, sub: 'root', scope: 'uploads admin' },
        { ...claims, sub: 'ann', aud: 'mail' },
      ].map(async (one) => bearer(await token(one))),
    )
    const { id, fileId } = await finish(wire, ann ?? {})
    expect((await get(wire, `${FILES}/${fileId}`, eve)).status).toBe(404)
    expect((await get(wire, `${FILES}/${fileId}/content`, admin)).body.toString()).toBe('hello')
    expect((await tus(wire, 'HEAD', `/files/${id}`, admin)).headers['upload-offset']).toBe('5')
    expect((await tus(wire, 'DELETE', `/files/${id}`, admin)).status).toBe(204)
    expect((await tus(wire, 'HEAD', `/files/${id}`, ann)).status).toBe(410)

    const refused = await get(wire, `${API}/${id}`, elsewhere)
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
    await expect.poll(() => server.output()).toContain('the token was refused')
    for (const { Authorization = '' } of [ann, eve, admin, elsewhere].map((headers) => headers ?? {})) {
      for (const part of Authorization.replace('Bearer ', '').split('.')) expect(server.output()).not.toContain(part)
    }
    expect(server.output()).not.toContain(SECRET)
    const document = (await get(wire, '/documentation/json')).body.toString()
    expect(JSON.parse(document)).toMatchObject({ components: { securitySchemes: { token: { bearerFormat: 'JWT' } } } })
  })

  it('with a key server: while it does not answer nobody is told to start over', TIMEOUT, async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    let answer: RequestListener = (_request, response) => void response.writeHead(503).end()
    const keyServer = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1')
    onTestFinished(() => void keyServer.close())
    await once(keyServer, 'listening')
    const { port } = keyServer.address() as AddressInfo
    const { server, wire } = await start({
      AUTH: 'jwt',
      JWKS_URL: `http://127.0.0.1:${port}/keys`,
      JWT_AUDIENCE: 'uploads',
    })
    const text = await new SignJWT({ sub: 'ann', aud: 'uploads' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .sign(privateKey)
    const credentials = bearer(text)
    const ids = { id: randomUUID(), fileId: randomUUID() }

    for (const call of callsOn(ids)) {
      const { status, headers } = await ask(wire, call, credentials)
      expect({ status, retryAfter: headers['retry-after'] }, nameOf(call)).toEqual({
        status: call.path.startsWith('/files') ? 423 : 503,
        retryAfter: '1',
      })
    }
    const json = await get(wire, `${API}/${ids.id}`, credentials)
    expect(JSON.parse(json.body.toString())).toMatchObject({ error: { code: 'STATE_UNAVAILABLE' } })
    expect(json.body.toString()).not.toContain(String(port))
    // The operator is told; and whoever has no token at all need not wait for it.
    await expect.poll(() => server.output()).toContain('Expected 200 OK')
    expect((await get(wire, `${API}/${ids.id}`)).status).toBe(401)
    expect((await get(wire, '/readyz')).status).toBe(200)

    const jwk = { ...(await exportJWK(publicKey)), kid: 'k' }
    answer = (_request, response) => void response.end(JSON.stringify({ keys: [jwk] }))
    const made = await begin(wire, credentials)
    answer = (_request, response) => void response.writeHead(503).end()
    // The keys that are known are good for a while.
    expect((await tus(wire, 'HEAD', `/files/${made.id}`, credentials)).status).toBe(200)
    expect(server.output()).not.toContain(text)
  })
})
