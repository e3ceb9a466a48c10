import Fastify from 'fastify'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import holdfastPlugin from '../../../adapters/fastify/index.ts'
import { holdfast } from '../../../adapters/node/index.ts'
import { createUploads, type Uploads, type UploadsOptions } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { EventClient } from '../../support/event-source.ts'
import { failureOf, JsonClient, sha256, someFile } from '../../support/json-client.ts'
import { listen } from '../../support/listen.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { TusClient } from '../../support/tus-client.ts'

const API = '/api/v1/uploads'
const CHUNK = 1000

/** Serves uploads by an adapter; its address. */
const ADAPTERS: Readonly<Record<string, (uploads: Uploads) => Promise<string>>> = {
  node: (uploads) => listen(holdfast({ uploads })),
  fastify: async (uploads) => {
    const app = Fastify({ return503OnClosing: false })
    await app.register(holdfastPlugin, { uploads })
    onTestFinished(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
}

describe.each(Object.entries(ADAPTERS))('GET /{id}/events, by the %s adapter,', (_name, adapter) => {
  async function serve(options: Partial<UploadsOptions> = {}) {
    const uploads = createUploads({
      storage: new FileStorage({ directory: await tempDir() }),
      chunkSize: CHUNK,
      ...options,
    })
    await uploads.open()
    onTestFinished(() => uploads.close())
    const url = await adapter(uploads)
    const json = new JsonClient(url)
    onTestFinished(() => json.close())
    const watch = async (id: string, headers: Readonly<Record<string, string>> = {}) => {
      const client = await EventClient.open(`${url}${API}/${id}/events`, headers)
      onTestFinished(() => client.close())
      return client
    }
    return { uploads, url, json, watch, tus: new TusClient(url) }
  }

  it('tells how the upload stands, then its progress, then that it is done', async () => {
    const { json, watch } = await serve()
    const file = someFile(3 * CHUNK)
    const begun = await json.begin({ fileSize: file.length, chunkSize: CHUNK })
    await json.sent(begun.id, 1, file.subarray(CHUNK, 2 * CHUNK))
    const client = await watch(begun.id)
    expect(client.status).toBe(200)
    expect(client.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const asked = await json.progressed(begun.id)
    const speed = { bytesPerSecond: expect.any(Number), estimatedTimeRemaining: expect.anything() }
    expect(await client.next()).toMatchObject({ event: 'snapshot', data: { ...asked, ...speed } })
    expect(await client.next()).toMatchObject({ event: 'progress', data: { ...asked, ...speed } })

    await json.sent(begun.id, 0, file.subarray(0, CHUNK))
    expect(await client.until('progress')).toMatchObject({
      data: { uploadedBytes: 2 * CHUNK, missingChunks: [[2, 2]], status: 'uploading' },
    })
    await json.sent(begun.id, 2, file.subarray(2 * CHUNK))
    const answered = await json.completed(begun.id)
    const events = await client.rest()
    expect(events.at(-1)).toMatchObject({
      event: 'completed',
      id: 'end',
      data: { id: begun.fileId, size: file.length, status: 'uploaded', uploadedAt: answered.uploadedAt },
    })
    expect(events.slice(0, -1).every(({ event }) => event === 'progress')).toBe(true)
  })

  it('tells of a tus client at most four times a second', async () => {
    const { tus, watch } = await serve()
    const path = await tus.create(40)
    const client = await watch(path.split('/').at(-1) ?? '')
    await client.until('snapshot')
    const rest = client.rest()
    for (let offset = 0; offset < 40; offset += 1) await tus.patch(path, offset, Buffer.from('x'))
    const progress = (await rest).filter(({ event }) => event === 'progress')
    const gaps = progress.slice(1).map(({ at }, n) => at - (progress[n]?.at ?? 0))
    // As the client sees them: a late one may be close to the next.
    expect(Math.min(...gaps, 250)).toBeGreaterThan(150)
    expect(progress.length).toBeLessThan(40)
  })

  it.each(['cancelled', 'failed', 'expired'])('tells that it is %s, and ends', async (end) => {
    const clock = { now: Date.now() }
    const { json, watch } = await serve({ now: () => clock.now, expiresAfterMs: 60_000 })
    const checksum = end === 'failed' ? { checksum: sha256('another') } : {}
    const { id } = await json.filled(someFile(10), checksum)
    const client = await watch(id)
    await client.until('progress')
    if (end === 'cancelled') await json.cancel(id)
    if (end === 'failed') failureOf(await json.complete(id), 422, 'CHECKSUM_MISMATCH')
    if (end === 'expired') {
      clock.now += 60_001
      failureOf(await json.progress(id), 410, 'UPLOAD_EXPIRED')
    }
    const events = await client.rest()
    expect(events.at(-1)).toMatchObject({ event: end, data: { sessionId: id, status: end } })

    // Whoever comes later is told the same, and one who was told already is told to stay away.
    const later = await (await watch(id)).rest()
    expect(later.map(({ event }) => event)).toEqual(['snapshot', end])
    expect((await watch(id, { 'Last-Event-ID': 'end' })).status).toBe(204)
  })

  it('tells at once that a file is done already', async () => {
    const { json, watch } = await serve()
    const { id, fileId } = await json.filled(someFile(10))
    await json.completed(id)
    const [snapshot, end, ...more] = await (await watch(id)).rest()
    expect(snapshot).toMatchObject({ event: 'snapshot', data: { status: 'uploaded', percentComplete: 100 } })
    expect([end?.event, more]).toEqual(['completed', []])
    expect(end?.data).toMatchObject({ id: fileId })
  })

  it('is asked for by GET alone, of what is there and one may see', async () => {
    const { json } = await serve({ authorize: (_principal, action) => action !== 'read' })
    const { id } = await json.filled(someFile(10))
    failureOf(await json.call('GET', `${API}/${id}/events`), 404, 'UPLOAD_NOT_FOUND')
    const missing = `${API}/00000000-0000-4000-8000-000000000000/events`
    failureOf(await json.call('GET', missing), 404, 'UPLOAD_NOT_FOUND')
    for (const method of ['HEAD', 'POST', 'DELETE']) {
      const answer = await json.call(method, `${API}/${id}/events`)
      expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET'])
    }
  })

  it('asks who one is, as every call does', async () => {
    const { json, url } = await serve({
      authenticate: async ({ headers }) => (headers.authorization === undefined ? null : { id: headers.authorization }),
    })
    const { id } = await json.begin({ fileSize: 10 }, { Authorization: 'ann' })
    const target = `${url}${API}/${id}/events`
    expect((await EventClient.open(target)).status).toBe(401)
    expect((await EventClient.open(target, { Authorization: 'eve' })).status).toBe(404)
    const client = await EventClient.open(target, { Authorization: 'ann' })
    onTestFinished(() => client.close())
    expect(client.status).toBe(200)
  })

  it('says with a comment that it is still there, before anybody takes it for dead', async () => {
    const { json, watch } = await serve({ idleTimeoutMs: 2000 })
    const { id } = await json.filled(someFile(10))
    const client = await watch(id)
    await client.until('progress')
    for (let n = 0; n < 3; n += 1) expect(await client.next()).toMatchObject({ event: null, data: null })
    await json.cancel(id)
    expect((await client.until('cancelled')).data).toMatchObject({ status: 'cancelled' })
  })

  it('ends when the server shuts down, which does not wait for it', async () => {
    const { json, uploads, watch } = await serve()
    const { id } = await json.filled(someFile(10))
    const client = await watch(id)
    await client.until('progress')
    const rest = client.rest()
    await uploads.close()
    expect((await rest).filter(({ event }) => event !== null)).toEqual([])
  })

  it('is let go of when its client goes', async () => {
    const watches: Awaited<ReturnType<Uploads['watch']>>[] = []
    const { json, uploads, watch } = await serve()
    const original = uploads.watch.bind(uploads)
    vi.spyOn(uploads, 'watch').mockImplementation(async (...args) => {
      const made = await original(...args)
      watches.push(made)
      return made
    })
    const { id } = await json.filled(someFile(10))
    const client = await watch(id)
    await client.until('progress')
    expect(watches.map(({ closed }) => closed)).toEqual([false])
    client.close()
    await vi.waitUntil(() => watches.every(({ closed }) => closed))
  })
})
