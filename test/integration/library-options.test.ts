import { EventEmitter, once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import holdfastPlugin from '../../adapters/fastify/index.ts'
import { holdfast, type NodeOptions } from '../../adapters/node/index.ts'
import { createUploads, type FileRecord, UploadError, type UploadsOptions } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { listen } from '../support/listen.ts'
import { tempDir } from '../support/temp-dir.ts'
import { encodeMetadata, TusClient } from '../support/tus-client.ts'

const API = '/api/v1/uploads'
const ANYONE = { principal: null }

/** Both faces over uploads with these options. */
async function serve(options: Partial<UploadsOptions>, onError?: NodeOptions['onError']) {
  const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }), ...options })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const url = await listen(holdfast({ uploads, ...(onError === undefined ? {} : { onError }) }))
  return { uploads, url, tus: new TusClient(url) }
}

function initiate(url: string, fileName: string, headers: Readonly<Record<string, string>> = {}, fileSize = 5) {
  return fetch(`${url}${API}/initiate`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ fileName, fileSize }),
  })
}

describe('beforeCreate', () => {
  const beforeCreate: UploadsOptions['beforeCreate'] = async ({ fileName }) => {
    await delay(1)
    if (fileName === 'forbidden.txt') throw new UploadError('FORBIDDEN', { message: 'Not that one.' })
  }

  it('refuses an upload on both faces, of which nothing is left', async () => {
    const directory = await tempDir()
    const { url, tus } = await serve({ storage: new FileStorage({ directory }), beforeCreate })

    const json = await initiate(url, 'forbidden.txt')
    expect(json.status).toBe(403)
    expect(await json.json()).toMatchObject({ success: false, error: { code: 'FORBIDDEN', message: 'Not that one.' } })
    const metadata = encodeMetadata({ filename: 'forbidden.txt' })
    const headers = { 'Upload-Length': 5, 'Upload-Metadata': metadata }
    const byTus = await tus.request('POST', '/files', { headers })
    expect([byTus.status, byTus.body.toString()]).toEqual([403, 'Not that one.\n'])
    const left = (await readdir(join(directory, 'uploads'))).filter((name) => !name.startsWith('.'))
    expect(left).toEqual([])

    expect((await initiate(url, 'allowed.txt')).status).toBe(201)
  })

  it('is told what the upload will be', async () => {
    const told: unknown[] = []
    const { url } = await serve({
      authenticate: () => ({ id: 'ann' }),
      beforeCreate: (upload) => void told.push(upload),
    })
    const { data } = (await (await initiate(url, 'a.txt')).json()) as { data: { id: string; fileId: string } }
    expect(told).toEqual([
      expect.objectContaining({ id: data.id, fileId: data.fileId, owner: 'ann', fileName: 'a.txt', size: 5 }),
    ])
  })

  it('is not asked again by a repeated request for an upload that is there', async () => {
    let asked = 0
    const { url } = await serve({ beforeCreate: () => void (asked += 1) })
    const ids = []
    for (let time = 0; time < 2; time += 1) {
      const answer = await initiate(url, 'a.txt', { 'Idempotency-Key': 'k' })
      ids.push(((await answer.json()) as { data: { id: string } }).data.id)
    }
    expect(ids[0]).toBe(ids[1])
    expect(asked).toBe(1)
  })

  it('is asked again by a repeated request for one that it refused', async () => {
    let open = false
    const { url } = await serve({
      beforeCreate: () => {
        if (!open) throw new UploadError('FORBIDDEN')
      },
    })
    const ask = async (): Promise<number> => (await initiate(url, 'a.txt', { 'Idempotency-Key': 'k' })).status
    await expect(ask()).resolves.toBe(403)
    open = true
    await expect(ask()).resolves.toBe(201)
  })

  it('that breaks tells the client nothing, and the operator why', async () => {
    const errors: unknown[] = []
    const beforeCreate = () => Promise.reject(new Error('at /secret/place'))
    const { url } = await serve({ beforeCreate }, (error) => errors.push(error))
    const answer = await initiate(url, 'a.txt')
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('secret')
    expect(errors).toEqual([
      expect.objectContaining({ cause: expect.objectContaining({ message: 'at /secret/place' }) }),
    ])
  })
})

describe('onCompleted', () => {
  it('is told of the file, whichever face finished it, once', async () => {
    const files: FileRecord[] = []
    const { uploads, tus } = await serve({ onCompleted: (file) => void files.push(file) })
    const path = await tus.create(5, { 'Upload-Metadata': encodeMetadata({ filename: 'a.txt' }) })
    await tus.patch(path, 0, Buffer.from('hello'))
    await uploads.complete(path.split('/').at(-1) ?? '', {}, ANYONE)
    expect(files).toEqual([expect.objectContaining({ name: 'a.txt', size: 5 })])
  })

  it('that fails harms nobody, and is reported', async () => {
    const errors: unknown[] = []
    const { tus } = await serve({
      onCompleted: () => Promise.reject(new Error('the table is locked')),
      onError: (error) => errors.push(error),
    })
    const path = await tus.create(5)
    expect((await tus.patch(path, 0, Buffer.from('hello'))).status).toBe(204)
    await expect.poll(() => errors).toEqual([expect.objectContaining({ message: 'the table is locked' })])
  })

  it('does not hold up the client, and is waited for by close()', async () => {
    const insert = new EventEmitter()
    let inserted = false
    const { uploads, tus } = await serve({
      onCompleted: async () => {
        await once(insert, 'go')
        inserted = true
      },
    })
    expect((await tus.patch(await tus.create(5), 0, Buffer.from('hello'))).status).toBe(204)
    const closed = uploads.close()
    setImmediate(() => insert.emit('go'))
    await closed
    expect(inserted).toBe(true)
  })
})

describe('authenticate of the uploads', () => {
  const authenticate: UploadsOptions['authenticate'] = async ({ headers }) => {
    const { authorization } = headers
    return authorization === undefined ? null : { id: authorization }
  }

  it('is asked by the node adapter on both faces', async () => {
    const { uploads, url, tus } = await serve({ authenticate })
    expect((await initiate(url, 'a.txt')).status).toBe(401)
    expect((await tus.request('POST', '/files', { headers: { 'Upload-Length': 5 } })).status).toBe(401)
    const path = await tus.create(5, { Authorization: 'ann' })
    const id = path.split('/').at(-1) ?? ''
    expect((await uploads.find(id, { principal: { id: 'ann' } })).manifest.owner).toBe('ann')
    await expect(uploads.find(id, ANYONE)).rejects.toMatchObject({ code: 'UPLOAD_NOT_FOUND' })
  })

  it('is asked by the Fastify plugin that is handed them, unless it has one of its own', async () => {
    const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }), authenticate })
    await uploads.open()
    for (const [own, status] of [
      [{}, 401],
      [{ authenticate: () => ({ id: 'bob' }) }, 404],
    ] as const) {
      const app = Fastify()
      await app.register(holdfastPlugin, { uploads, ...own })
      expect((await app.inject({ url: `${API}/x` })).statusCode).toBe(status)
    }
    await uploads.close()
  })
})

describe('sizes', () => {
  it('may be texts', async () => {
    const { url } = await serve({ maxFileSize: '50GiB', chunkSize: '2 MiB' })
    const answer = await initiate(url, 'a.txt', {}, 50 * 2 ** 30)
    expect(((await answer.json()) as { data: object }).data).toMatchObject({ chunkSize: 6 * 2 ** 20 })
    expect((await initiate(url, 'a.txt', {}, 50 * 2 ** 30 + 1)).status).toBe(413)
  })
})

describe('apiPrefix: false', () => {
  it('leaves the tus face alone, in both adapters', async () => {
    const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }) })
    await uploads.open()
    const app = Fastify()
    onTestFinished(() => app.close())
    await app.register(holdfastPlugin, { uploads, apiPrefix: false })
    const fastify = await app.listen({ port: 0, host: '127.0.0.1' })
    for (const url of [fastify, await listen(holdfast({ uploads, apiPrefix: false }))]) {
      await expect(new TusClient(url).create(5)).resolves.toMatch(/^\/files\//)
      expect((await initiate(url, 'a.txt')).status).toBe(404)
    }
  })
})
