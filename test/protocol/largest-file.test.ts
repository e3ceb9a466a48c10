import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { failureOf } from '../support/json-client.ts'
import { encodeMetadata, OFFSET_OCTET_STREAM, TusClient, type TusHeaders } from '../support/tus-client.ts'
import { useJsonServer } from './json/use-json-server.ts'

const MAX = 1000

describe('the largest file, of 1,000 bytes', () => {
  const server = useJsonServer({ MAX_FILE_SIZE: String(MAX), CHUNK_SIZE: '400' })
  const tus = () => new TusClient(server.url)
  const post = (headers: TusHeaders, body?: Buffer, chunked = false) =>
    tus().request('POST', '/files', { headers, chunked, ...(body === undefined ? {} : { body }) })
  const patch = (path: string, offset: number, body: Buffer, headers: TusHeaders = {}, chunked = false) =>
    tus().request('PATCH', path, {
      headers: { 'Upload-Offset': offset, 'Content-Type': OFFSET_OCTET_STREAM, ...headers },
      body,
      chunked,
    })
  const deferred = async () => (await post({ 'Upload-Defer-Length': 1 })).headers.location ?? ''
  const offsetOf = async (path: string) => (await tus().request('HEAD', path)).headers['upload-offset']
  const uploadsThereAre = () => readdir(join(server.dataDir, 'uploads'))

  it('is taken', async () => {
    const { id } = await server.client.begin({ fileSize: MAX })
    await server.client.cancel(id)
    expect((await post({ 'Upload-Length': MAX })).status).toBe(201)
  })

  it('is told to tus clients', async () => {
    expect((await tus().request('OPTIONS', '/files')).headers['tus-max-size']).toBe(String(MAX))
  })

  it.each<[string, () => Promise<number>]>([
    ['JSON', async () => (await server.client.initiate({ fileName: 'a', fileSize: MAX + 1 })).status],
    ['tus', async () => (await post({ 'Upload-Length': MAX + 1 })).status],
    [
      'tus, with the file',
      async () => {
        const headers = { 'Upload-Length': MAX + 1, 'Content-Type': OFFSET_OCTET_STREAM }
        return (await post(headers, Buffer.alloc(MAX + 1))).status
      },
    ],
    [
      'tus, with more than the file',
      async () => (await post({ 'Upload-Length': 1, 'Content-Type': OFFSET_OCTET_STREAM }, Buffer.alloc(2))).status,
    ],
    [
      'tus, with a file of unknown length',
      async () => {
        const headers = { 'Upload-Defer-Length': 1, 'Content-Type': OFFSET_OCTET_STREAM }
        return (await post(headers, Buffer.alloc(MAX + 1))).status
      },
    ],
    [
      'tus, with a file and a body of unknown length',
      async () => {
        const headers = {
          'Upload-Defer-Length': 1,
          'Content-Type': OFFSET_OCTET_STREAM,
          'Upload-Metadata': encodeMetadata({ filename: 'a' }),
        }
        return (await post(headers, Buffer.alloc(MAX + 1), true)).status
      },
    ],
  ])('is no larger through %s, and nothing of one is left behind', async (_, send) => {
    const before = await server.inventory()
    expect(await send()).toBe(413)
    // Of one whose body was begun there is the tombstone of what was cancelled, and no byte.
    const more = (await server.inventory()).filter((name) => !before.includes(name))
    expect(more.filter((name) => !/^uploads\/[^/]+(?:\/(?:manifest\.json|journal))?$/.test(name))).toEqual([])
    for (const id of await uploadsThereAre()) {
      if (before.includes(`uploads/${id}`)) continue
      expect((await server.client.progress(id)).status).toBe(410)
    }
  })

  it('is not declared larger later: that is refused before a byte is read', async () => {
    const path = await deferred()
    const answer = await patch(path, 0, Buffer.alloc(10), { 'Upload-Length': MAX + 1 })
    expect(answer.status).toBe(413)
    expect(await offsetOf(path)).toBe('0')
  })

  it('does not grow beyond it while its length is unknown', async () => {
    const path = await deferred()
    expect((await patch(path, 0, Buffer.alloc(MAX + 1))).status).toBe(413)
    expect(await offsetOf(path)).toBe('0')
    expect((await patch(path, 0, Buffer.alloc(500), {}, true)).status).toBe(204)
    // Of a body that does not say how long it is, what there is room for is taken.
    expect((await patch(path, 500, Buffer.alloc(501), {}, true)).status).toBe(413)
    expect(Number(await offsetOf(path))).toBeLessThanOrEqual(MAX)
    expect((await patch(path, Number(await offsetOf(path)), Buffer.alloc(MAX + 1), {}, true)).status).toBe(413)
    expect(Number(await offsetOf(path))).toBeLessThanOrEqual(MAX)
  })

  it('does not grow beyond it by chunks while its length is unknown', async () => {
    const id = (await deferred()).split('/').at(-1) ?? ''
    const before = await server.client.progressed(id)
    for (const body of [Buffer.alloc(400), [Buffer.alloc(200), Buffer.alloc(200)]]) {
      failureOf(await server.client.chunk(id, 2, body), 413, 'FILE_TOO_LARGE')
    }
    await server.client.sent(id, 1, Buffer.alloc(400))
    expect(before.uploadedBytes).toBe(0)
    expect((await server.client.progressed(id)).uploadedBytes).toBe(400)
  })

  it('takes no chunk that is longer than it says', async () => {
    const { id } = await server.client.begin({ fileSize: 900, chunkSize: 400 })
    const pieces = [Buffer.alloc(400), Buffer.alloc(1)]
    failureOf(await server.client.chunk(id, 0, pieces), 400, 'CHUNK_SIZE_MISMATCH')
    expect((await server.client.progressed(id)).uploadedBytes).toBe(0)
  })
})
