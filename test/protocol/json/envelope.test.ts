import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Answer, chunkHeaders, failureOf, sha256, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer({ IDLE_TIMEOUT: '500ms', MAX_FILE_SIZE: '1MB' })
const PREFIX = '/api/v1/uploads'

/** Calls something of an upload whose id goes out exactly as it stands. */
type Call = (id: string) => Promise<Answer>

const calls: readonly (readonly [string, Call])[] = [
  ['GET /{id}', (id) => server.client.call('GET', `${PREFIX}/${id}`)],
  ['DELETE /{id}', (id) => server.client.call('DELETE', `${PREFIX}/${id}`)],
  ['GET /{id}/progress', (id) => server.client.progress(id)],
  ['POST /{id}/chunks', (id) => server.client.chunk(id, 0, someFile(4))],
  ['POST /{id}/complete', (id) => server.client.complete(id)],
  ['POST /{id}/resume', (id) => server.client.resume(id)],
]

const strangeIds: readonly (readonly [string, string])[] = [
  ['that nobody has', '00000000-0000-4000-8000-000000000000'],
  ['of 200 characters', 'a'.repeat(200)],
  ['of 5000 characters', 'a'.repeat(5000)],
  ['with an encoded slash', 'a%2Fb'],
  ['with encoded steps upwards', '..%2F..%2F..%2Fetc%2Fpasswd'],
  ['of two encoded dots', '%2e%2e'],
  ['with an encoded backslash', '..%5C..%5Cboot.ini'],
  ['with an encoded NUL', 'a%00'],
  ['with a malformed percent', '%zz'],
  ['with a percent at its end', 'abc%'],
  ['that is no UTF-8', '%ff%fe'],
  ['of encoded emoji', '%F0%9F%8F%96'],
  ['that is a property of every object', '__proto__'],
]

describe.each(calls)('%s', (_, call) => {
  it.each(strangeIds)('answers 404 in the form of the contract for an id %s', async (_name, id) => {
    failureOf(await call(id), 404, 'UPLOAD_NOT_FOUND')
  })

  it('answers 404 UPLOAD_NOT_FOUND for the id of an upload in upper case', async () => {
    const { id } = await server.client.begin({ fileSize: 4, chunkSize: 4 })

    failureOf(await call(id.toUpperCase()), 404, 'UPLOAD_NOT_FOUND')
  })
})

describe('an address that is none', () => {
  it.each([
    ['POST', '/initiate/more'],
    ['GET', '/00000000-0000-4000-8000-000000000000/nothing'],
    ['POST', '/00000000-0000-4000-8000-000000000000/chunks/0'],
    ['GET', '/a/b/c/d'],
    ['PATCH', '/a/b/c'],
    ['GET', '/../../../etc/passwd'],
    ['GET', '//progress'],
  ])('answers %s {prefix}%s with 404 in the form of the contract', async (method, path) => {
    const answer = await server.client.call(method, `${PREFIX}${path}`)

    failureOf(answer, 404, 'NOT_FOUND')
  })

  it('outside the prefix is answered with 404 too', async () => {
    expect(await server.client.call('GET', '/api/v1/nothing')).toMatchObject({ status: 404 })
  })
})

describe('what the HTTP parser refuses', () => {
  it('is answered in the form of the contract where the headers are too large', async () => {
    const answer = await server.client.call('GET', `${PREFIX}/a/progress`, {
      headers: { 'X-Large': 'a'.repeat(20_000) },
    })

    expect([400, 431]).toContain(answer.status)
    failureOf(answer, answer.status, 'INVALID_REQUEST')
  })

  it('is answered in the form of the contract where the body is no body', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(
      `POST ${PREFIX}/initiate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    )

    const received = await text(socket)

    expect(received).toMatch(/^HTTP\/1\.1 400 /)
    expect(JSON.parse(received.slice(received.indexOf('{')))).toEqual({
      success: false,
      error: { code: 'INVALID_REQUEST', message: expect.any(String), requestId: expect.any(String) },
    })
  })
})

describe('a method that an address does not have', () => {
  const id = '00000000-0000-4000-8000-000000000000'

  it.each([
    ['PUT', '/initiate', 'POST'],
    ['PATCH', '/initiate', 'POST'],
    ['PUT', `/${id}`, 'GET, DELETE'],
    ['POST', `/${id}`, 'GET, DELETE'],
    ['PATCH', `/${id}`, 'GET, DELETE'],
    ['POST', `/${id}/progress`, 'GET'],
    ['GET', `/${id}/chunks`, 'POST'],
    ['PUT', `/${id}/chunks`, 'POST'],
    ['GET', `/${id}/complete`, 'POST'],
    ['DELETE', `/${id}/resume`, 'POST'],
  ])('is answered with 405 METHOD_NOT_ALLOWED and Allow: %s %s', async (method, path, allowed) => {
    // Node's client does not say by itself how long the body of a DELETE is.
    const parts = method === 'GET' ? {} : { headers: { 'Content-Length': 10 }, body: someFile(10) }

    const answer = await server.client.call(method, `${PREFIX}${path}`, parts)

    const failure = failureOf(answer, 405, 'METHOD_NOT_ALLOWED')
    expect(failure.message).toContain(method)
    const named = answer.headers.allow?.split(',').map((name) => name.trim()) ?? []
    expect(named).toEqual(expect.arrayContaining(allowed.split(', ')))
    expect(named).not.toContain(method)
  })
})

describe('every failure', () => {
  it('has a request id, the same in the header, and another one each time', async () => {
    const answers = await Promise.all([server.client.progress('a'), server.client.progress('a')])
    const ids = answers.map((answer) => failureOf(answer, 404, 'UPLOAD_NOT_FOUND').requestId)

    expect(ids[0]).not.toBe(ids[1])
    expect(answers.map(({ headers }) => headers['x-request-id'])).toEqual(ids)
  })

  it('has the request id that a client gave it, unless that is no plain word', async () => {
    const { client } = server
    const plain = await client.call('GET', `${PREFIX}/a`, { headers: { 'X-Request-ID': 'trace-42' } })
    const odd = await client.call('GET', `${PREFIX}/a`, { headers: { 'X-Request-ID': '<script>alert(1)</script>' } })

    expect(failureOf(plain, 404, 'UPLOAD_NOT_FOUND').requestId).toBe('trace-42')
    expect(odd.text).not.toContain('script')
  })

  it('is not to be stored or guessed at by whoever passes it on', async () => {
    const { headers } = await server.client.progress('a')

    expect(headers['cache-control']).toContain('no-store')
    expect(headers['x-content-type-options']).toBe('nosniff')
  })

  it('has no Retry-After where trying again would not help', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })
    const answers = [
      await client.progress('a'),
      await client.chunk(id, 9, someFile(4)),
      await client.chunk(id, 0, someFile(3)),
      await client.complete(id),
      await client.initiate('{'),
    ]

    expect(answers.map(({ status }) => status)).toEqual([404, 400, 400, 409, 400])
    for (const { headers } of answers) expect(headers).not.toHaveProperty('retry-after')
  })

  it('leaves its connection fit for the next request, whatever was left unread', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    await once(socket, 'connect')
    const body = 'x'.repeat(300_000)
    const chunk = `POST ${PREFIX}/nobody/chunks HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\nX-Chunk-Number: 0\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    socket.write(chunk)
    socket.write(`GET ${PREFIX}/nobody/progress HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)

    const received = await text(socket)

    expect(received.match(/HTTP\/1\.1 404 /g)).toHaveLength(2)
    expect(received.match(/UPLOAD_NOT_FOUND/g)).toHaveLength(2)
  })
})

describe('a chunk whose body stalls', () => {
  let answer: Answer
  let id = ''

  beforeAll(async () => {
    const { client } = server
    id = (await client.begin({ fileSize: 8, chunkSize: 4 })).id
    const open = client.openChunk(id, 0, 4)
    await open.write(someFile(3))
    answer = await open.answer
    await open.cut()
  })

  it('is answered with 408 TIMEOUT and Retry-After', () => {
    failureOf(answer, 408, 'TIMEOUT')
    expect(answer.headers['retry-after']).toMatch(/^\d+$/)
  })

  it('leaves nothing of itself, and the chunk can be sent', async () => {
    const { client } = server
    const bytes = someFile(4)

    expect(await client.progressed(id)).toMatchObject({ uploadedBytes: 0, missingChunks: [[0, 1]] })
    expect(await client.sent(id, 0, bytes)).toMatchObject({ checksum: sha256(bytes) })
  })
})

describe('a file that is larger than the server takes', () => {
  it('is refused with 413 FILE_TOO_LARGE, naming the limit, and leaves nothing', async () => {
    const { client } = server
    const before = await server.inventory()

    const failure = failureOf(await client.initiate({ fileName: 'a', fileSize: 1_000_001 }), 413, 'FILE_TOO_LARGE')

    expect(failure.message).toContain('1000000')
    expect(failure.message).toContain('1000001')
    expect(await server.inventory()).toEqual(before)
    expect(await client.begin({ fileSize: 1_000_000 })).toMatchObject({ status: 'initiated' })
  })
})

describe('a query', () => {
  it('changes nothing of what an address means', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 4 })

    const progress = await client.call('GET', `${client.target(id, 'progress')}?token=a%2Fb&x=%zz`)
    const chunk = await client.call('POST', `${client.target(id, 'chunks')}?n=1`, {
      headers: chunkHeaders(0),
      body: someFile(4),
    })

    expect([progress.status, chunk.status]).toEqual([200, 200])
  })
})
