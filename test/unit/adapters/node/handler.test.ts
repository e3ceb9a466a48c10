import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { holdfast, type NodeHandler, type NodeOptions } from '../../../../adapters/node/index.ts'
import { createUploads } from '../../../../src/index.ts'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const API = '/api/v1/uploads'

type Around = (handler: NodeHandler) => (request: IncomingMessage, response: ServerResponse) => void

/** Serves both faces on a socket. */
async function serve(
  options: Partial<NodeOptions> = {},
  around: Around = (handler) => handler,
): Promise<{ readonly url: string; readonly errors: unknown[] }> {
  const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }) })
  await uploads.open()
  const errors: unknown[] = []
  const handler = holdfast({ uploads, onError: (error) => errors.push(error), ...options })
  const server = createServer(around(handler)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await uploads.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, errors }
}

function initiate(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${url}${API}/initiate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ fileName: 'a', fileSize: 4 }),
  })
}

test('serves both faces', async () => {
  const { url } = await serve()
  const created = await initiate(url)
  expect(created.status).toBe(201)
  const { data } = (await created.json()) as { data: { id: string } }
  const head = await fetch(`${url}/files/${data.id}`, { method: 'HEAD', headers: { 'tus-resumable': '1.0.0' } })
  expect(head.headers.get('upload-length')).toBe('4')
  const chunk = await fetch(`${url}${API}/${data.id}/chunks`, {
    method: 'POST',
    headers: { 'x-chunk-number': '0' },
    body: Buffer.from('abcd'),
  })
  expect(chunk.status).toBe(200)
  expect((await fetch(`${url}${API}/${data.id}/complete`, { method: 'POST' })).status).toBe(200)
  const file = await fetch(`${url}/files/${data.id}`)
  expect(file.headers.get('content-length')).toBe('4')
  await expect(file.text()).resolves.toBe('abcd')
})

test('passes other paths on, and answers them 404 where nobody follows', async () => {
  const { url } = await serve({}, (handler) => (request, response) => {
    handler(request, response, request.url === '/last' ? undefined : () => response.end('next'))
  })
  await expect((await fetch(`${url}/filesystem`)).text()).resolves.toBe('next')
  const last = await fetch(`${url}/last`)
  expect(last.status).toBe(404)
  await expect(last.json()).resolves.toMatchObject({ success: false, error: { code: 'NOT_FOUND' } })
})

test('finds the faces where Express or Connect took the path of a mount off the URL', async () => {
  const { url } = await serve({}, (handler) => (request, response) => {
    const full = request.url ?? ''
    Object.assign(request, { originalUrl: full, url: full.slice('/api'.length) })
    if (request.headers['x-express'] === 'yes') Object.assign(request, { baseUrl: '/api' })
    handler(request, response)
  })
  expect((await initiate(url)).status).toBe(201)
  expect((await initiate(url, { 'x-express': 'yes' })).status).toBe(201)
})

test('says clearly when a body parser came first', async () => {
  const { url, errors } = await serve({}, (handler) => (request, response) => {
    request.resume().once('end', () => handler(request, response))
  })
  const answer = await initiate(url)
  expect(answer.status).toBe(500)
  expect(await answer.text()).not.toContain('express.json')
  expect(String((errors[0] as Error).cause ?? errors[0])).toMatch(/before body parsers such as express\.json/)
})

test('asks who sends a request', async () => {
  const { url } = await serve({
    authenticate: (request) => (request.headers.authorization === 'alice' ? { id: 'alice' } : null),
  })
  expect((await initiate(url)).status).toBe(401)
  expect((await initiate(url, { authorization: 'alice' })).status).toBe(201)
})

test('names the request in the answer, by the id it came with', async () => {
  const { url } = await serve()
  const answer = await fetch(`${url}${API}/x`, { headers: { 'x-request-id': 'r-1' } })
  expect(answer.headers.get('x-request-id')).toBe('r-1')
  await expect(answer.json()).resolves.toMatchObject({ error: { requestId: 'r-1' } })
})
