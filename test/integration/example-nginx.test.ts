import { once } from 'node:events'
import { request as requestPlainly } from 'node:http'
import { request as requestSecurely } from 'node:https'
import type { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { tusJsUpload } from '../e2e/tus-js.ts'
import { bytesOf } from '../support/byte-source.ts'
import { EventClient } from '../support/event-source.ts'
import { Http2Stack } from '../support/http2-stack.ts'
import { JsonClient } from '../support/json-client.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { freePort } from '../support/services/free-port.ts'
import { describeWithNginx, type Nginx, startNginx } from '../support/services/nginx.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { OFFSET_OCTET_STREAM, TusClient } from '../support/tus-client.ts'

const KIB = 1024
const CHUNK = 64 * KIB
const SIZE = 16 * CHUNK
const BYTES = bytesOf(91, SIZE)

/** A request with an open body. */
interface OpenBody {
  readonly body: Writable
  readonly status: Promise<number | undefined>
  cut(): void
}

type Headers = Readonly<Record<string, string>>

describeWithNginx('the example nginx', { timeout: 60_000 }, () => {
  let directory: string
  let port: number
  let server: ServerProcess
  let nginx: Nginx

  const serve = async (): Promise<ServerProcess> =>
    startServerProcess(directory, { PORT: String(port), CHUNK_SIZE: String(CHUNK), TRUST_PROXY: 'loopback' })

  beforeAll(async () => {
    directory = await makeTempDir()
    port = await freePort()
    ;[server, nginx] = await Promise.all([serve(), startNginx(port)])
  })

  afterAll(async () => {
    await Promise.all([server.kill(), nginx.stop()])
  })

  function plainly(url: string, headers: Headers): OpenBody {
    const send = url.startsWith('https:') ? requestSecurely : requestPlainly
    const body = send(url, { method: 'PATCH', headers, agent: false, ca: nginx.ca })
    const status = once(body, 'response').then(([response]) => (response as { statusCode?: number }).statusCode)
    body.on('error', () => {})
    return { body, status, cut: () => body.destroy() }
  }

  function overHttp2(url: string, headers: Headers): OpenBody {
    const stack = new Http2Stack(new URL(url).origin, nginx.ca)
    onTestFinished(() => stack.close())
    const body = stack.open('PATCH', new URL(url).pathname, headers)
    const status = once(body, 'response').then(([got]) => Number((got as Record<string, number>)[':status']))
    body.on('error', () => {})
    return { body, status, cut: () => stack.close() }
  }

  describe.each([
    ['HTTP/1.1', () => nginx.url, plainly],
    ['HTTP/1.1 over TLS', () => nginx.secureUrl, plainly],
    ['HTTP/2', () => nginx.url, overHttp2],
    ['HTTP/2 over TLS', () => nginx.secureUrl, overHttp2],
  ] as const)('over %s', (_, base, open) => {
    it.each([['of a known length', { 'Content-Length': String(SIZE) }] as const, ['of an unknown one', {}] as const])(
      'passes a body %s on as it comes, and what a cut one has brought is kept',
      async (_length, length) => {
        const json = new JsonClient(server.url)
        onTestFinished(() => json.close())
        const { id } = await json.begin({ fileSize: SIZE })
        const progress = async () => (await json.progressed(id)).uploadedBytes
        const headers = {
          'Tus-Resumable': '1.0.0',
          'Content-Type': OFFSET_OCTET_STREAM,
          'Upload-Offset': '0',
          ...length,
        }
        const first = open(`${base()}/files/${id}`, headers)
        first.status.catch(() => {})
        first.body.write(BYTES.subarray(0, 5 * CHUNK + 7))
        await expect.poll(progress, { timeout: 10_000 }).toBe(5 * CHUNK)
        first.cut()
        const tus = new TusClient(server.url)
        await expect.poll(() => tus.offset(`/files/${id}`), { timeout: 10_000 }).toBe(5 * CHUNK + 7)

        const rest = open(`${base()}/files/${id}`, {
          ...headers,
          'Upload-Offset': String(5 * CHUNK + 7),
          ...('Content-Length' in length ? { 'Content-Length': String(SIZE - 5 * CHUNK - 7) } : {}),
        })
        rest.body.end(BYTES.subarray(5 * CHUNK + 7))
        expect(await rest.status).toBe(204)
        expect((await tus.request('GET', `/files/${id}`)).body.equals(BYTES)).toBe(true)
      },
    )
  })

  it.each([
    ['HTTP/1.1', undefined],
    ['HTTP/2 over TLS', () => new Http2Stack(nginx.secureUrl, nginx.ca)],
  ])('lets tus-js-client go on over %s where it was when Holdfast was away', async (_, makeStack) => {
    const stack = makeStack?.()
    onTestFinished(() => stack?.close())
    const base = stack === undefined ? nginx.url : nginx.secureUrl
    let accepted = 0
    const { run, requests } = tusJsUpload(BYTES, {
      endpoint: `${base}/files`,
      chunkSize: 3 * CHUNK,
      retryDelays: Array.from({ length: 100 }, () => 100),
      ...(stack === undefined ? {} : { httpStack: stack }),
      onChunkComplete: () => {
        accepted += 1
        // It is gone before the client goes on, and comes back when a HEAD was told to wait.
        if (accepted === 2) void server.kill('SIGKILL')
      },
    })
    const done = run()
    await expect
      .poll(() => requests.filter(({ status }) => status === 423).length, { timeout: 20_000 })
      .toBeGreaterThan(1)
    server = await serve()
    const url = await done
    expect(new URL(url).origin).toBe(base)
    expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
    const answer = await new TusClient(server.url).request('GET', new URL(url).pathname)
    expect(answer.body.equals(BYTES)).toBe(true)
    const offsets = requests.flatMap(({ method, status, offset }) =>
      method === 'PATCH' && status === 204 ? [offset] : [],
    )
    expect(offsets).toEqual([...new Set(offsets)])
  })

  it('passes events on as they happen, and ranges of files', async () => {
    const json = new JsonClient(nginx.url)
    onTestFinished(() => json.close())
    const { id, fileId } = await json.begin({ fileSize: 2 * CHUNK })
    const events = await EventClient.open(`${nginx.url}/api/v1/uploads/${id}/events`)
    expect(await events.next()).toMatchObject({ event: 'snapshot' })
    await json.sent(id, 0, BYTES.subarray(0, CHUNK))
    onTestFinished(() => events.close())
    const came = async () => (await events.until('progress')).data
    await expect.poll(came).toMatchObject({ uploadedBytes: CHUNK })
    await json.sent(id, 1, BYTES.subarray(CHUNK, 2 * CHUNK))
    await json.completed(id)
    const range = await fetch(`${nginx.url}/api/v1/files/${fileId}/content`, { headers: { Range: 'bytes=5-9' } })
    expect([range.status, Buffer.from(await range.arrayBuffer())]).toEqual([206, BYTES.subarray(5, 10)])
  })

  it('brings no trailers: a body whose checksum stands in one is refused, and nothing of it is kept', async () => {
    const tus = new TusClient(nginx.url)
    const path = await tus.create(5)
    const headers = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': 0, Trailer: 'Upload-Checksum' }
    const trailers = { 'Upload-Checksum': 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=' }
    const answer = await tus.request('PATCH', path, { headers, body: Buffer.from('hello'), chunked: true, trailers })
    expect(answer.status).toBe(400)
    expect(await tus.offset(path)).toBe(0)
  })
})
