import { randomBytes } from 'node:crypto'
import { DetailedError } from 'tus-js-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { idOf, useServer } from '../protocol/tus/running-server.ts'
import { offsetLetThrough, startCuttingProxy } from '../support/cutting-proxy.ts'
import { sha256 } from '../support/tus-client.ts'
import { type JsonAnswer, JsonClient } from './json-client.ts'
import { tusJsUpload } from './tus-js.ts'

const CHUNK = 256 * 1024

describe('One upload through both protocols', () => {
  const server = useServer({ CHUNK_SIZE: String(CHUNK) })
  const data = randomBytes(4 * CHUNK + 12_345)
  const json = (): JsonClient => new JsonClient(server.url)

  /** An upload that the JSON API began. */
  async function initiated(file = data): Promise<string> {
    const { status, data: upload } = await json().initiate({ fileName: 'a.bin', fileSize: file.length })
    expect(status).toBe(201)
    expect(upload['chunkSize']).toBe(CHUNK)
    return String(upload['id'])
  }

  async function sent(id: string, numbers: readonly number[], file = data): Promise<void> {
    for (const number of numbers) {
      const answer = await json().chunk(id, number, file, CHUNK)
      expect([answer.status, answer.code], `chunk ${number}`).toEqual([200, null])
      const bytes = file.subarray(number * CHUNK, (number + 1) * CHUNK)
      expect(answer.data).toMatchObject({ chunkNumber: number, size: bytes.length, checksum: sha256(bytes) })
    }
  }

  async function expectFile(id: string, bytes = data): Promise<void> {
    expect(sha256((await server.fileOf(`/files/${id}`)) ?? Buffer.from('none'))).toBe(sha256(bytes))
    const got = await server.client.request('GET', `/files/${id}`)
    expect(got.status).toBe(200)
    expect(sha256(got.body)).toBe(sha256(bytes))
  }

  async function expectCompletes(id: string, bytes = data): Promise<void> {
    const answer = await json().complete(id)
    expect([answer.status, answer.code]).toEqual([200, null])
    expect(answer.data).toMatchObject({ status: 'uploaded', size: bytes.length, checksum: sha256(bytes) })
    await expectFile(id, bytes)
  }

  it('is begun by tus-js-client, cut in the middle of a chunk, and finished with JSON chunks', async () => {
    const through = await startCuttingProxy(server.url)
    onTestFinished(() => through.close())
    const begun = tusJsUpload(data, { endpoint: `${through.url}/files`, metadata: { filename: 'ä.bin' } })
    const cut = through.cutAfter(2 * CHUNK + 100_000)
    await expect(begun.run()).rejects.toBeInstanceOf(DetailedError)
    const had = offsetLetThrough(await cut)
    const id = idOf(begun.upload.url ?? '')
    await expect.poll(async () => (await json().progress(id)).data['uploadedBytes'], { interval: 10 }).toBe(had)
    const resumed = await json().resume(id)
    expect(resumed.status).toBe(200)
    expect(resumed.data).toMatchObject({
      id,
      status: 'active',
      uploadedBytes: had,
      nextChunkNumber: 2,
      missingChunks: [[2, 4]],
      chunkSize: CHUNK,
      totalChunks: 5,
    })
    await sent(id, [2, 3, 4])
    await expectCompletes(id)
    expect((await json().complete(id)).data).toMatchObject({ name: 'ä.bin' })
  })

  it('is begun with JSON chunks out of order and finished by tus-js-client', async () => {
    const id = await initiated()
    await sent(id, [0, 3, 2])
    const { run, requests } = tusJsUpload(data, { uploadUrl: `${server.url}/files/${id}` })
    await run()
    expect(requests).toMatchObject([
      { method: 'HEAD', status: 200, answered: CHUNK },
      { method: 'PATCH', offset: CHUNK, status: 204, answered: data.length },
    ])
    await expectFile(id)
    await expectCompletes(id)
  })

  it('is begun with JSON chunks and finished by tus-js-client in steps that straddle them', async () => {
    const id = await initiated()
    await sent(id, [3, 1])
    const { run, requests } = tusJsUpload(data, { uploadUrl: `${server.url}/files/${id}`, chunkSize: 100_000 })
    await run()
    // A step that fills a gap finds what follows it: its offset jumps, and nothing of that is sent again.
    expect(requests.every(({ status }) => status !== null && status < 300)).toBe(true)
    await expectFile(id)
  })

  it('refuses tus bytes that differ from a durable chunk, and changes nothing', async () => {
    const id = await initiated()
    await sent(id, [0, 3, 2])
    const other = Buffer.from(data)
    other[3 * CHUNK + 7]! ^= 1
    const refused = tusJsUpload(other, { uploadUrl: `${server.url}/files/${id}`, retryDelays: [0, 0] })
    await expect(refused.run()).rejects.toThrow(/422/)
    // A client that tried again would send the same bytes again: it is told not to.
    expect(refused.requests.map(({ method, status }) => [method, status])).toEqual([
      ['HEAD', 200],
      ['PATCH', 422],
    ])
    const progress = await json().progress(id)
    expect(progress.data).toMatchObject({ chunksUploaded: 4, missingChunks: [[4, 4]], status: 'uploading' })
    await sent(id, [0, 1, 2, 3, 4])
    await expectCompletes(id)
  })

  it('refuses tus bytes that differ within a stretch of a durable chunk, and changes nothing', async () => {
    const id = await initiated()
    await sent(id, [1])
    await server.client.patch(`/files/${id}`, 0, data.subarray(0, CHUNK - 10))
    const before = await json().progress(id)
    const other = Buffer.from(data.subarray(CHUNK - 10, CHUNK + 100))
    other[50]! ^= 1
    const answer = await server.client.patch(`/files/${id}`, CHUNK - 10, other)
    expect(answer.status).toBe(422)
    const { data: after } = await json().progress(id)
    expect(after['uploadedBytes']).toBe(Number(before.data['uploadedBytes']) + 10)
    await expect(server.client.offset(`/files/${id}`)).resolves.toBe(2 * CHUNK)
    const rest = await server.client.patch(`/files/${id}`, 2 * CHUNK, data.subarray(2 * CHUNK))
    expect(rest.status).toBe(204)
    await expectFile(id)
  })

  it('takes a JSON chunk over the tail of a tus upload where the bytes are the same', async () => {
    const path = await server.client.create(data.length)
    await server.client.patch(path, 0, data.subarray(0, CHUNK + 1000))
    await sent(idOf(path), [1])
    await expect(server.client.offset(path)).resolves.toBe(2 * CHUNK)
    expect((await server.client.patch(path, 2 * CHUNK, data.subarray(2 * CHUNK))).status).toBe(204)
    await expectFile(idOf(path))
  })

  it.each([
    ['first', CHUNK],
    ['last', CHUNK + 999],
  ])('refuses a JSON chunk whose bytes differ from the tail of a tus upload in its %s byte', async (_, position) => {
    const path = await server.client.create(data.length)
    await server.client.patch(path, 0, data.subarray(0, CHUNK + 1000))
    const other = Buffer.from(data)
    other[position]! ^= 1
    const answer = await json().chunk(idOf(path), 1, other, CHUNK)
    expect([answer.status, answer.code]).toEqual([409, 'CHUNK_CONFLICT'])
    await expect(server.client.offset(path)).resolves.toBe(CHUNK + 1000)
    const rest = await server.client.patch(path, CHUNK + 1000, data.subarray(CHUNK + 1000))
    expect(rest.status).toBe(204)
    await expectFile(idOf(path))
  })

  it('is written from both ends at once, each byte once', async () => {
    const file = randomBytes(9 * CHUNK + 500)
    const path = await server.client.create(file.length)
    const id = idOf(path)
    const live = server.client.openPatch(path, 0, file.length)
    for (let step = 0; step < 4; step += 1) {
      // Half a chunk ahead of the middle of each step: the tail and a JSON chunk grow side by side.
      const [answer] = await Promise.all([
        json().chunk(id, 9 - step, file, CHUNK),
        live.write(file.subarray(step * CHUNK, (step + 1) * CHUNK)),
      ])
      expect([answer.status, answer.code]).toEqual([200, null])
    }
    await expect.poll(async () => (await json().progress(id)).data['chunksUploaded'], { interval: 10 }).toBe(8)
    expect((await json().progress(id)).data).toMatchObject({
      uploadedBytes: 7 * CHUNK + 500,
      missingChunks: [[4, 5]],
      status: 'uploading',
    })
    // Both are at chunk 4 now; the one that comes second finds the same bytes.
    const [answer] = await Promise.all([
      json().chunk(id, 4, file, CHUNK),
      live.write(file.subarray(4 * CHUNK)).then(() => live.end()),
    ])
    expect([answer.status, answer.code]).toEqual([200, null])
    const patched = await live.answer
    expect(patched.status).toBe(204)
    expect(patched.headers['upload-offset']).toBe(String(file.length))
    expect((await json().progress(id)).data).toMatchObject({
      uploadedBytes: file.length,
      chunksUploaded: 10,
      percentComplete: 100,
      status: 'uploaded',
    })
    await expectCompletes(id, file)
  })

  it('is written by tus and by JSON chunks in a random order at the same time', async () => {
    for (let round = 0; round < 3; round += 1) {
      const file = randomBytes(12 * CHUNK + round)
      const path = await server.client.create(file.length)
      const count = Math.ceil(file.length / CHUNK)
      const numbers = Array.from({ length: count }, (_, n) => n).toSorted(() => Math.random() - 0.5)
      const [patched, ...answers] = await Promise.all([
        server.client.patch(path, 0, file),
        ...numbers.map((number) => json().chunk(idOf(path), number, file, CHUNK)),
      ])
      // A chunk that was in time moves the offset before the PATCH looks at it: then that is told.
      expect([204, 409]).toContain(patched.status)
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      await expectCompletes(idOf(path), file)
    }
  })

  it('tells JSON clients how a PATCH goes, and leaves the PATCH alone', async () => {
    const path = await server.client.create(data.length)
    const id = idOf(path)
    const live = server.client.openPatch(path, 0, data.length)
    await live.write(data.subarray(0, 2 * CHUNK + 5000))
    const progress = (): Promise<JsonAnswer> => json().progress(id)
    await expect.poll(async () => (await progress()).data['chunksUploaded'], { interval: 10 }).toBe(2)
    expect((await progress()).data).toMatchObject({
      uploadedBytes: 2 * CHUNK,
      status: 'uploading',
      missingChunks: [[2, 4]],
    })
    const resumed = await json().resume(id)
    expect(resumed.data).toMatchObject({ uploadedBytes: 2 * CHUNK, nextChunkNumber: 2 })
    const early = await json().complete(id)
    expect([early.status, early.code]).toEqual([409, 'CHUNKS_MISSING'])
    await live.write(data.subarray(2 * CHUNK + 5000))
    live.end()
    expect((await live.answer).status).toBe(204)
    expect((await progress()).data).toMatchObject({ uploadedBytes: data.length, status: 'uploaded' })
    await expectFile(id)
  })

  it('is completed by the HEAD of a tus client that finds every JSON chunk there', async () => {
    const id = await initiated()
    await sent(id, [4, 3, 2, 1, 0])
    expect((await json().progress(id)).data).toMatchObject({ percentComplete: 100, status: 'uploading' })
    await expect(server.fileOf(`/files/${id}`)).resolves.toBeNull()
    const head = await server.client.head(`/files/${id}`)
    expect(head.status).toBe(200)
    expect(head.headers['upload-offset']).toBe(String(data.length))
    expect((await json().progress(id)).data).toMatchObject({ status: 'uploaded' })
    await expectFile(id)
    await expectCompletes(id)
  })

  it('is completed by an empty PATCH at the end of JSON chunks', async () => {
    const id = await initiated()
    await sent(id, [0, 1, 2, 3, 4])
    const answer = await server.client.patch(`/files/${id}`, data.length, Buffer.alloc(0))
    expect(answer.status).toBe(204)
    await expectFile(id)
  })

  it('takes JSON chunks for an upload whose length tus has deferred', async () => {
    const path = await server.client.create(null)
    const id = idOf(path)
    await server.client.patch(path, 0, data.subarray(0, 1000))
    await sent(id, [3, 0])
    const head = await server.client.head(path)
    expect(head.headers).toMatchObject({ 'upload-offset': String(CHUNK), 'upload-defer-length': '1' })
    const small = await server.client.patch(path, CHUNK, Buffer.alloc(0), {
      headers: { 'Upload-Length': 4 * CHUNK - 1 },
    })
    expect(small.status).toBe(400)
    const rest = await server.client.patch(path, CHUNK, data.subarray(CHUNK), {
      headers: { 'Upload-Length': data.length },
    })
    expect(rest.status).toBe(204)
    await expectFile(id)
  })

  it('tells a tus client the name and metadata that the JSON API was given', async () => {
    const { data: upload } = await json().initiate({
      fileName: 'päper.pdf',
      fileSize: 10,
      contentType: 'application/pdf',
      metadata: { project: 'x', pages: 3, tags: ['a', 'b'] },
    })
    const head = await server.client.head(`/files/${String(upload['id'])}`)
    const pairs = String(head.headers['upload-metadata']).split(',')
    const read = pairs.map((pair) => [pair.split(' ')[0], Buffer.from(pair.split(' ')[1] ?? '', 'base64').toString()])
    expect(Object.fromEntries(read)).toEqual({
      filename: 'päper.pdf',
      filetype: 'application/pdf',
      project: 'x',
      pages: '3',
      tags: '["a","b"]',
    })
  })

  it('is gone for both when either ends it', async () => {
    const byTus = await initiated()
    await sent(byTus, [1])
    expect((await server.client.request('DELETE', `/files/${byTus}`)).status).toBe(204)
    const chunk = await json().chunk(byTus, 0, data, CHUNK)
    expect([chunk.status, chunk.code]).toEqual([410, 'UPLOAD_CANCELLED'])
    const path = await server.client.create(data.length)
    const cancelled = await fetch(`${server.url}/api/v1/uploads/${idOf(path)}`, { method: 'DELETE' })
    expect(cancelled.status).toBe(200)
    expect((await server.client.head(path)).status).toBe(410)
  })
})
