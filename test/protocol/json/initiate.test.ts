import { describe, expect, it } from 'vitest'
import { chunkOf, dataOf, type Initiated, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const MIB = 1024 * 1024
const server = useJsonServer()

describe('POST /initiate', () => {
  it('answers 201 with what the client needs, and the address of the upload', async () => {
    const { client } = server
    const asked = Date.now()

    const answer = await client.initiate({
      fileName: 'holiday.mov',
      fileSize: 12,
      contentType: 'video/quicktime',
      metadata: { album: 'summer' },
      chunkSize: 5,
    })

    const data = dataOf(answer, 201) as Initiated
    expect(data).toEqual({
      id: expect.stringMatching(/^[\da-f-]{36}$/),
      fileId: expect.stringMatching(/^[\da-f-]{36}$/),
      fileName: 'holiday.mov',
      fileSize: 12,
      chunkSize: 5,
      totalChunks: 3,
      status: 'initiated',
      expiresAt: expect.any(String),
      tusUrl: expect.stringMatching(/\/files\/[\da-f-]{36}$/),
    })
    expect(data.id).not.toBe(data.fileId)
    expect(data.tusUrl.endsWith(`/files/${data.id}`)).toBe(true)
    expect(answer.headers.location).toBe(`${client.prefix}/${data.id}`)
    expect(new Date(data.expiresAt).toISOString()).toBe(data.expiresAt)
    const day = 24 * 3_600_000
    expect(Date.parse(data.expiresAt)).toBeGreaterThanOrEqual(asked + day)
    expect(Date.parse(data.expiresAt)).toBeLessThanOrEqual(Date.now() + day)
  })

  it('gives every upload ids of its own', async () => {
    const begun = await Promise.all(Array.from({ length: 8 }, () => server.client.begin({ fileSize: 1 })))

    expect(new Set(begun.flatMap(({ id, fileId }) => [id, fileId])).size).toBe(16)
  })

  it('cuts a file into chunks of 5 MiB unless another size is asked for', async () => {
    const { client } = server

    expect(await client.begin({ fileSize: 12 * MIB + 1 })).toMatchObject({ chunkSize: 5 * MIB, totalChunks: 3 })
    expect(await client.begin({ fileSize: 5 * MIB })).toMatchObject({ chunkSize: 5 * MIB, totalChunks: 1 })
    expect(await client.begin({ fileSize: 5 * MIB + 1 })).toMatchObject({ chunkSize: 5 * MIB, totalChunks: 2 })
  })

  it.each([
    { fileSize: 0, totalChunks: 0 },
    { fileSize: 1, totalChunks: 1 },
    { fileSize: 9, totalChunks: 1 },
    { fileSize: 10, totalChunks: 1 },
    { fileSize: 11, totalChunks: 2 },
    { fileSize: 20, totalChunks: 2 },
  ])('cuts $fileSize bytes by 10 into $totalChunks chunks', async ({ fileSize, totalChunks }) => {
    expect(await server.client.begin({ fileSize, chunkSize: 10 })).toMatchObject({
      fileSize,
      chunkSize: 10,
      totalChunks,
    })
  })

  it('grows the chunks in whole MiB where the file would need more than 10 000 of them', async () => {
    const { client } = server

    expect(await client.begin({ fileSize: 10_000, chunkSize: 1 })).toMatchObject({ chunkSize: 1, totalChunks: 10_000 })
    expect(await client.begin({ fileSize: 10_001, chunkSize: 1 })).toMatchObject({ chunkSize: MIB, totalChunks: 1 })
    const large = await client.begin({ fileSize: 60_000 * MIB + 1 })
    expect(large).toMatchObject({ chunkSize: 7 * MIB, totalChunks: 8572 })
  })

  it('takes the largest number of bytes that JSON can say exactly', async () => {
    const begun = await server.client.begin({ fileSize: Number.MAX_SAFE_INTEGER })

    expect(begun.fileSize).toBe(Number.MAX_SAFE_INTEGER)
    expect(begun.totalChunks).toBeLessThanOrEqual(10_000)
    expect(begun.chunkSize % MIB).toBe(0)
  })

  it.each([
    ['emoji', '🏖️ été — 夏.mov'],
    ['right-to-left text', 'חופשה.mov'],
    ['quotes and a percent sign', `a "b" 'c' %2F;=.mov`],
    ['255 bytes', `${'ä'.repeat(125)}.mp4x`],
    ['three dots', '...'],
    ['a leading dot', '.hidden'],
    ['the name of a property of every object', '__proto__'],
    ['a decomposed letter, as it is', 'e\u0301.mov'],
  ])('keeps a name with %s', async (_, fileName) => {
    const begun = await server.client.begin({ fileName, fileSize: 0 })

    expect(begun.fileName).toBe(fileName)
    expect(await server.client.progressed(begun.id)).toMatchObject({ fileName })
    expect(await server.client.completed(begun.id)).toMatchObject({ name: fileName })
  })

  it.each([
    ['absent', {}],
    ['empty', { contentType: '' }],
  ])('takes a content type that is %s for application/octet-stream', async (_, parts) => {
    const { client } = server
    const { id } = dataOf(await client.initiate({ fileName: 'a', fileSize: 0, ...parts }), 201) as Initiated

    expect(await client.completed(id)).toMatchObject({ contentType: 'application/octet-stream' })
  })

  it('keeps a content type with parameters', async () => {
    const contentType = 'text/plain; charset="utf-8"'
    const { id } = await server.client.begin({ fileSize: 0, contentType })

    expect(await server.client.completed(id)).toMatchObject({ contentType })
  })

  it.each([
    ['nothing in it', {}],
    ['every kind of value, nested', { a: [1, 2.5, null, true, { b: { c: ['d', {}] } }], 'ключ 🔑': 'ü', '': '' }],
    ['exactly 8 KiB', { a: 'x'.repeat(8192 - '{"a":""}'.length) }],
  ])('takes metadata with %s', async (_, metadata) => {
    const begun = await server.client.begin({ fileSize: 3, metadata })

    expect(begun.status).toBe('initiated')
  })

  it('reads a body of unknown length, in pieces that cut a letter', async () => {
    const { client } = server
    const body = Buffer.from(JSON.stringify({ fileName: 'été.mov', fileSize: 3 }))
    const cut = body.indexOf(0xc3) + 1

    const answer = await client.call('POST', `${client.prefix}/initiate`, {
      headers: { 'Content-Type': 'application/json; charset=utf-8' },
      body: [body.subarray(0, cut), body.subarray(cut)],
    })

    expect(dataOf(answer, 201)).toMatchObject({ fileName: 'été.mov', fileSize: 3 })
  })

  it('makes the upload known to the tus face under the same id', async () => {
    const { client } = server
    const file = someFile(10)
    const { id, tusUrl } = await client.begin({ fileSize: 10, chunkSize: 4 })
    await client.sent(id, 0, chunkOf(file, 4, 0))

    const answer = await client.call('HEAD', new URL(tusUrl, client.url).pathname, {
      headers: { 'Tus-Resumable': '1.0.0' },
    })

    expect(answer).toMatchObject({ status: 200, headers: { 'upload-offset': '4', 'upload-length': '10' } })
  })
})
