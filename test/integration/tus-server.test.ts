import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TusServer, type TusServerOptions } from '../../adapters/tus/index.ts'
import { createUploads } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { listen } from '../support/listen.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

type Options = Partial<Omit<Extract<TusServerOptions, { readonly uploads?: undefined }>, 'uploads'>>

/** The tus face alone, on a socket. */
async function serve(options: Options = {}): Promise<{ readonly server: TusServer; readonly url: string }> {
  const datastore = new FileStorage({ directory: await tempDir() })
  const server = new TusServer({ path: '/files', datastore, ...options })
  onTestFinished(() => server.close())
  return { server, url: await listen((req, res) => server.handle(req, res)) }
}

describe('TusServer', () => {
  it('takes an upload, and needs no opening', async () => {
    const { url } = await serve()
    const tus = new TusClient(url)
    const path = await tus.create(5)
    expect((await tus.patch(path, 0, Buffer.from('hello'))).headers).toMatchObject({ 'upload-offset': '5' })
    expect((await tus.request('GET', path)).body.toString()).toBe('hello')
  })

  it('has its own path, its limit and its core', async () => {
    const { server, url } = await serve({ path: '/media/uploads', maxSize: '1KiB' })
    const tus = new TusClient(url)
    const created = await tus.request('POST', '/media/uploads', { headers: { 'Upload-Length': 1024 } })
    expect(created.headers.location).toMatch(/^\/media\/uploads\//)
    expect((await tus.request('POST', '/media/uploads', { headers: { 'Upload-Length': 1025 } })).status).toBe(413)
    const id = tus.locationOf(created).split('/').at(-1) ?? ''
    await expect(server.uploads.find(id, { principal: null })).resolves.toMatchObject({ size: 1024 })
  })

  it('knows no other path, and no other protocol', async () => {
    const { url } = await serve()
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404)
    expect((await fetch(`${url}/api/v1/uploads/initiate`, { method: 'POST' })).status).toBe(404)
  })

  it('lets the pages of named origins in, with their cookies and headers', async () => {
    const allowedOrigins = ['https://app.example.com']
    const { url } = await serve({ allowedOrigins, allowedCredentials: true, allowedHeaders: ['X-Tenant'] })
    const ask = (origin: string): Promise<Response> =>
      fetch(`${url}/files`, {
        method: 'OPTIONS',
        headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' },
      })
    const { headers } = await ask('https://app.example.com')
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(headers.get('access-control-allow-credentials')).toBe('true')
    expect(headers.get('access-control-allow-headers')).toContain('X-Tenant')
    expect((await ask('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
  })

  it('asks who sends a request', async () => {
    const { url } = await serve({ authenticate: ({ headers }) => (headers.authorization ? { id: 'ann' } : null) })
    const tus = new TusClient(url)
    expect((await tus.request('POST', '/files', { headers: { 'Upload-Length': 5 } })).status).toBe(401)
    await expect(tus.create(5, { Authorization: 'Bearer x' })).resolves.toMatch(/^\/files\//)
  })

  it('serves uploads of the application below a path of Express', async () => {
    const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }) })
    await uploads.open()
    onTestFinished(() => uploads.close())
    const server = new TusServer({ path: '/api/files', uploads })
    const app = express()
    app.use('/api', (req, res, next) => server.handle(req, res, next))
    app.use((_req, res) => void res.status(418).end())
    const url = await listen(app)
    const tus = new TusClient(url)
    const created = await tus.request('POST', '/api/files', { headers: { 'Upload-Length': 5 } })
    await tus.patch(tus.locationOf(created), 0, Buffer.from('hello'))
    await expect(tus.offset(tus.locationOf(created))).resolves.toBe(5)
    expect((await fetch(`${url}/api/other`)).status).toBe(418)
  })

  it('says why storage cannot be opened, to the operator, and tries again', async () => {
    const directory = join(await tempDir(), 'data')
    await writeFile(directory, 'a file is in the way')
    const errors: unknown[] = []
    const datastore = new FileStorage({ directory })
    const { url } = await serve({ datastore, onError: (error) => errors.push(error) })
    const tus = new TusClient(url)
    expect((await tus.request('POST', '/files', { headers: { 'Upload-Length': 5 } })).status).toBe(500)
    expect(String(errors[0])).toMatch(/EEXIST|ENOTDIR/)
    // A HEAD that got 500 would make clients start over.
    expect((await tus.head(`/files/${randomUUID()}`)).status).toBe(423)
  })

  it.each(['onUploadFinish', 'locker', 'namingFunction', 'maxsize'])('refuses the option %s, by its name', (name) => {
    const options = { path: '/files', datastore: new FileStorage({ directory: './data' }), [name]: () => {} }
    expect(() => new TusServer(options)).toThrow(new RegExp(`\`${name}\``))
  })

  it('refuses a path that is none', () => {
    const datastore = new FileStorage({ directory: './data' })
    expect(() => new TusServer({ path: 'files', datastore })).toThrow(TypeError)
  })
})
