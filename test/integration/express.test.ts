import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { holdfast, type NodeOptions } from '../../adapters/node/index.ts'
import { createUploads } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { listen } from '../support/listen.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

const API = '/api/v1/uploads'
const HELLO = Buffer.from('hello')

/** Express with what `mount` does to it. */
async function serve(
  mount: (app: express.Express, handler: ReturnType<typeof holdfast>) => unknown,
  options: Partial<NodeOptions> = {},
): Promise<{ readonly url: string; readonly tus: TusClient; readonly errors: unknown[] }> {
  const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }) })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const errors: unknown[] = []
  const app = express()
  mount(app, holdfast({ uploads, onError: (error) => errors.push(error), ...options }))
  const url = await listen(app)
  return { url, tus: new TusClient(url), errors }
}

async function uploadByBoth(url: string, prefix = ''): Promise<void> {
  const tus = new TusClient(url)
  const created = await tus.request('POST', `${prefix}/files`, { headers: { 'Upload-Length': 5 } })
  const path = tus.locationOf(created)
  expect((await tus.patch(path, 0, HELLO)).status).toBe(204)
  expect((await tus.request('GET', path)).body).toEqual(HELLO)

  const base = `${url}${prefix}${API}`
  const begun = await fetch(`${base}/initiate`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"fileName":"a","fileSize":5}',
  })
  const { id } = ((await begun.json()) as { data: { id: string } }).data
  const headers = { 'X-Chunk-Number': '0', 'Content-Type': 'application/octet-stream' }
  expect((await fetch(`${base}/${id}/chunks`, { method: 'POST', headers, body: HELLO })).status).toBe(200)
  expect((await fetch(`${base}/${id}/complete`, { method: 'POST' })).status).toBe(200)
}

describe('Express 5', () => {
  it('serves both faces ahead of its own routes and parsers, which it keeps', async () => {
    const { url } = await serve((app, handler) => {
      app.use(handler)
      app.use(express.json())
      app.post('/own', (request, response) => void response.json(request.body))
      app.use((_request, response) => void response.status(418).end())
    })
    await uploadByBoth(url)
    const own = await fetch(`${url}/own`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"a":1}',
    })
    expect(await own.json()).toEqual({ a: 1 })
    expect((await fetch(`${url}/elsewhere`)).status).toBe(418)
  })

  it('serves them below a path too, where they are told of it', async () => {
    const options = { tusPath: '/v2/files', apiPrefix: `/v2${API}` }
    const { url } = await serve((app, handler) => app.use('/v2', handler), options)
    await uploadByBoth(url, '/v2')
  })

  it('that parses bodies first is told so, and the client nothing', async () => {
    const { url, tus, errors } = await serve((app, handler) => {
      app.use(express.json(), express.raw({ type: '*/*' }))
      app.use(handler)
    })
    const path = await tus.create(5)
    expect((await tus.patch(path, 0, HELLO)).status).toBe(500)
    await expect(tus.offset(path)).resolves.toBe(0)
    const begun = await fetch(`${url}${API}/initiate`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"fileName":"a","fileSize":5}',
    })
    expect(await begun.text()).not.toContain('express.json')
    expect(begun.status).toBe(500)
    expect(errors.map(String).join('\n')).toBeTruthy()
    for (const error of errors) {
      expect(error).toMatchObject({
        cause: { message: expect.stringContaining('before body parsers such as express.json()') },
      })
    }
  })

  it('runs middleware of its own first, from which authenticate takes the user', async () => {
    const users = new WeakMap<object, string>()
    const { tus } = await serve(
      (app, handler) => {
        app.use((request, _response, next) => {
          if (request.headers.authorization === 'Bearer x') users.set(request, 'ann')
          next()
        })
        app.use(handler)
      },
      {
        authenticate: (request) => {
          const id = users.get(request)
          return id === undefined ? null : { id }
        },
      },
    )
    expect((await tus.request('POST', '/files', { headers: { 'Upload-Length': 5 } })).status).toBe(401)
    await expect(tus.create(5, { Authorization: 'Bearer x' })).resolves.toMatch(/^\/files\//)
  })
})
