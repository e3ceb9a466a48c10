import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Action, Authorize } from '../../src/index.ts'
import { tusJsUpload } from '../e2e/tus-js.ts'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { serveUploads, type ServedUploads } from '../support/served-uploads.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient, OFFSET_OCTET_STREAM } from '../support/tus-client.ts'
import { initiated, JsonDriver } from '../support/upload-drivers.ts'

const CHUNK = 64 * 1024
const BYTES = bytesOf(11, 3 * CHUNK + 1000)
const HALF = CHUNK + 500

const asked: Action[] = []
const denied = new Set<Action>()
const authorize: Authorize = (_principal, action) => {
  asked.push(action)
  return !denied.has(action)
}

beforeEach(() => {
  denied.clear()
})

async function serve(): Promise<ServedUploads & { readonly tus: TusClient }> {
  const served = await serveUploads({ directory: await tempDir() }, { chunkSize: CHUNK, authorize })
  onTestFinished(() => served.close())
  return { ...served, tus: new TusClient(served.wire.url) }
}

describe('a tus append that fills the upload', () => {
  it('asks whether its sender may complete, once, when all is there', async () => {
    const { tus } = await serve()
    const path = await tus.create(BYTES.length)
    asked.length = 0
    expect((await tus.patch(path, 0, BYTES.subarray(0, HALF))).status).toBe(204)
    expect(new Set(asked)).toEqual(new Set(['write']))
    asked.length = 0
    expect((await tus.patch(path, HALF, BYTES.subarray(HALF))).status).toBe(204)
    expect(asked.filter((action) => action === 'complete')).toEqual(['complete'])
    expect(asked.at(-1)).toBe('complete')
    expect(new Set(asked)).toEqual(new Set(['write', 'complete']))
  })

  it('keeps every byte where that was withdrawn on the way, and completes once it may', async () => {
    const { tus, uploads } = await serve()
    const path = await tus.create(BYTES.length)
    const id = path.split('/').at(-1) ?? ''
    const sending = tus.openPatch(path, 0, BYTES.length)
    await sending.write(BYTES.subarray(0, HALF))
    denied.add('complete')
    await sending.write(BYTES.subarray(HALF))
    sending.end()
    const refused = await sending.answer
    // 403: clients repeat no PATCH after that, and keep the address.
    expect(refused.status).toBe(403)
    expect(refused.body.toString()).toMatch(/every byte is stored/i)
    expect(refused.headers['upload-offset']).toBeUndefined()

    // 423 with Retry-After: after anything else a client would start over from its first byte.
    const waiting = await tus.request('HEAD', path)
    expect(waiting.status).toBe(423)
    expect(waiting.headers['retry-after']).toBe('1')
    const { uploadedBytes, status } = await uploads.progress(id, { principal: null })
    expect({ uploadedBytes, status }).toEqual({ uploadedBytes: BYTES.length, status: 'uploading' })
    expect((await tus.request('GET', path)).status).toBe(404)
    // Nothing completes it behind the back of who may not.
    expect((await tus.patch(path, BYTES.length, Buffer.alloc(0))).status).toBe(403)
    expect((await uploads.find(id, { principal: null })).status).toBe('uploading')

    denied.clear()
    const done = await tus.request('HEAD', path)
    expect([done.status, done.headers['upload-offset']]).toEqual([200, String(BYTES.length)])
    expect(sha256Of((await tus.request('GET', path)).body)).toBe(sha256Of(BYTES))
  })

  it('is let go on by a client whose right to write is withdrawn meanwhile, but no further', async () => {
    const { tus } = await serve()
    const path = await tus.create(BYTES.length)
    const sending = tus.openPatch(path, 0, HALF)
    asked.length = 0
    await sending.write(BYTES.subarray(0, CHUNK))
    // The last time, before it takes the bytes in.
    await expect.poll(() => asked.filter((action) => action === 'write').length).toBe(2)
    denied.add('write')
    await sending.write(BYTES.subarray(CHUNK, HALF))
    sending.end()
    expect((await sending.answer).headers['upload-offset']).toBe(String(HALF))
    expect((await tus.patch(path, HALF, BYTES.subarray(HALF))).status).toBe(404)
    denied.clear()
    expect((await tus.patch(path, HALF, BYTES.subarray(HALF))).headers['upload-offset']).toBe(String(BYTES.length))
  })

  it('is not let go back to the first byte by tus-js-client, which finishes it later without sending any again', async () => {
    const { tus, wire } = await serve()
    denied.add('complete')
    const options = { endpoint: `${wire.url}/files`, chunkSize: 2 * CHUNK, retryDelays: [0, 10] }
    const first = tusJsUpload(BYTES, options)
    await expect(first.run()).rejects.toThrow(/403/)
    expect(first.requests.map(({ method, status }) => [method, status])).toEqual([
      ['POST', 201],
      ['PATCH', 204],
      ['PATCH', 403],
    ])
    const { url } = first.upload
    const second = tusJsUpload(BYTES, { ...options, uploadUrl: url })
    await expect(second.run()).rejects.toThrow(/locked/)
    expect(second.requests.every(({ method, status }) => method === 'HEAD' && status === 423)).toBe(true)
    denied.clear()
    const third = tusJsUpload(BYTES, { ...options, uploadUrl: url })
    expect(await third.run()).toBe(url)
    expect(third.requests.map(({ method, status }) => [method, status])).toEqual([['HEAD', 200]])
    const path = new URL(url ?? '').pathname
    expect(sha256Of((await tus.request('GET', path)).body)).toBe(sha256Of(BYTES))
  })
})

describe('a creation that brings the whole file', () => {
  it.each([[BYTES.length], [0]])(
    'of %d bytes is answered with its address where its sender may not complete',
    async (size) => {
      const { tus, uploads } = await serve()
      denied.add('complete')
      const body = BYTES.subarray(0, size)
      const headers = { 'Upload-Length': body.length, 'Content-Type': OFFSET_OCTET_STREAM }
      const answer = await tus.request('POST', '/files', { headers, body })
      expect(answer.status).toBe(201)
      expect(answer.headers['upload-offset']).toBeUndefined()
      const path = answer.headers.location ?? ''
      expect((await tus.request('HEAD', path)).status).toBe(423)
      const id = path.split('/').at(-1) ?? ''
      expect((await uploads.find(id, { principal: null })).ledger.durableBytes).toBe(body.length)
      denied.clear()
      expect((await tus.request('HEAD', path)).headers['upload-offset']).toBe(String(body.length))
    },
  )
})

describe('complete of the JSON API', () => {
  it('is denied as if there were nothing, and costs no byte', async () => {
    const { wire, uploads } = await serve()
    const json = new JsonDriver(wire)
    const { id } = initiated(await json.initiate(100, 'a', CHUNK))
    await json.putChunk(id, 0, BYTES.subarray(0, 100))
    denied.add('complete')
    expect((await json.complete(id)).status).toBe(404)
    expect((await uploads.find(id, { principal: null })).ledger.durableBytes).toBe(100)
    denied.clear()
    expect((await json.complete(id)).status).toBe(200)
  })
})
