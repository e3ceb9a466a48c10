import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ALGORITHMS, contentDigest, uploadChecksum } from '../../support/body-checksums.ts'
import { sendRaw } from '../../support/raw-request.ts'
import {
  encodeMetadata,
  OFFSET_OCTET_STREAM,
  sha256,
  type TusAnswer,
  type TusHeaders,
} from '../../support/tus-client.ts'
import { CHUNK, idOf, type RunningServer, useNodeServer, useServer } from './running-server.ts'

const other = Buffer.from('something else')
const data = randomBytes(3 * CHUNK + 1234)

/** Everything that is to be as it was: what clients are told, and what lies on the disk. */
async function stateOf(server: RunningServer, path: string) {
  const id = idOf(path)
  const head = await server.client.head(path)
  const { data: progress } = (await (await fetch(`${server.url}/api/v1/uploads/${id}`)).json()) as {
    readonly data: Readonly<Record<string, unknown>>
  }
  const { 'upload-offset': offset, 'upload-length': length } = head.headers
  const { uploadedBytes, missingChunks, status } = progress
  const read = async (name: string) => {
    const bytes = await readFile(join(server.dataDir, 'uploads', id, name)).catch(() => Buffer.alloc(0))
    return [bytes.length, sha256(bytes)]
  }
  const disk = { data: await read('data'), journal: await read('journal') }
  return { offset, length, uploadedBytes, missingChunks, status, disk }
}

async function putChunk(server: RunningServer, path: string, number: number): Promise<void> {
  const answer = await fetch(`${server.url}/api/v1/uploads/${idOf(path)}/chunks`, {
    method: 'POST',
    headers: { 'X-Chunk-Number': String(number), 'Content-Type': 'application/octet-stream' },
    body: data.subarray(number * CHUNK, (number + 1) * CHUNK),
  })
  expect(answer.status).toBe(200)
}

function expectMismatch(answer: TusAnswer): void {
  expect([answer.status, answer.reason]).toEqual([460, 'Checksum Mismatch'])
  expect(answer.headers['tus-resumable']).toBe('1.0.0')
  expect(answer.body.toString()).toMatch(/^The body has the .*\n$/)
}

/** Where an upload may stand before a body with a checksum comes, and that body. */
const PLACES: readonly (readonly [string, (server: RunningServer, path: string) => Promise<void>, number, number])[] = [
  ['within the first chunk', async () => {}, 0, 1000],
  ['exactly a chunk', async () => {}, 0, CHUNK],
  ['across three chunks', async () => {}, 0, 3 * CHUNK - 5],
  ['that continues a tail', (server, path) => sendPlain(server, path, 700), 700, CHUNK],
  ['within a tail’s chunk', (server, path) => sendPlain(server, path, 700), 700, 720],
  ['that would complete the file', (server, path) => sendPlain(server, path, CHUNK + 5), CHUNK + 5, data.length],
  ['that is the whole file', async () => {}, 0, data.length],
  [
    'over chunks that are durable already',
    async (server, path) => {
      await sendPlain(server, path, 100)
      await putChunk(server, path, 1)
      await putChunk(server, path, 3)
    },
    100,
    data.length,
  ],
  ['of no bytes', (server, path) => sendPlain(server, path, 700), 700, 700],
]

async function sendPlain(server: RunningServer, path: string, bytes: number): Promise<void> {
  expect((await server.client.patch(path, 0, data.subarray(0, bytes))).status).toBe(204)
}

describe.each([
  ['Fastify', useServer],
  ['node:http', useNodeServer],
] as const)('Upload-Checksum, on %s', (_adapter, use) => {
  const server = use()

  it('is told of by OPTIONS', async () => {
    const { headers } = await server.client.request('OPTIONS', '/files')
    // "If supported, the Server MUST add checksum to the Tus-Extension header." "If the Server can handle trailers, this
    // behavior MUST be announced by adding checksum-trailer to the Tus-Extension header."
    expect(String(headers['tus-extension']).split(',')).toEqual(
      expect.arrayContaining(['checksum', 'checksum-trailer']),
    )
    // "The Tus-Checksum-Algorithm header MUST be included in the response to an OPTIONS request." "[It] MUST be a
    // comma-separated list of the checksum algorithms supported by the server."
    expect(String(headers['tus-checksum-algorithm']).split(',').toSorted()).toEqual([...ALGORITHMS].toSorted())
  })

  it.each(ALGORITHMS)('in %s is verified', async (algorithm) => {
    const path = await server.client.create(data.length)
    const body = data.subarray(0, 2 * CHUNK + 1)
    const wrong = { 'Upload-Checksum': uploadChecksum(other, algorithm) }
    expectMismatch(await server.client.patch(path, 0, body, { headers: wrong }))
    expect(await server.client.offset(path)).toBe(0)
    const right = { 'Upload-Checksum': uploadChecksum(body, algorithm) }
    const answer = await server.client.patch(path, 0, body, { headers: right })
    expect([answer.status, answer.headers['upload-offset']]).toEqual([204, String(body.length)])
  })

  describe.each(PLACES)('of a body %s', (_what, before, from, to) => {
    const sizes = [false, true].map(
      (chunked) => [chunked ? 'of unknown length' : 'with a Content-Length', chunked] as const,
    )

    it.each(sizes)('that is wrong leaves all as it was: 460; right it is taken: a body %s', async (_how, chunked) => {
      const path = await server.client.create(data.length)
      await before(server, path)
      const was = await stateOf(server, path)
      const body = data.subarray(from, to)
      // "In the first two cases the uploaded chunk MUST be discarded, and the upload and its offset MUST NOT be updated."
      const wrong = { 'Upload-Checksum': uploadChecksum(other) }
      expectMismatch(await server.client.patch(path, from, body, { chunked, headers: wrong }))
      expect(await stateOf(server, path)).toEqual(was)

      const right = { 'Upload-Checksum': uploadChecksum(body) }
      const answer = await server.client.patch(path, from, body, { chunked, headers: right })
      expect([answer.status, answer.headers['upload-offset']]).toEqual([204, String(from + body.length)])
      const end = from + body.length
      expect((await server.client.patch(path, end, data.subarray(end))).status).toBe(204)
      expect(sha256((await server.fileOf(path)) ?? other)).toBe(sha256(data))
    })
  })

  it('is verified after other bytes for a chunk are found to be durable, too: a conflict is told as ever', async () => {
    const path = await server.client.create(data.length)
    await putChunk(server, path, 1)
    const body = Buffer.concat([data.subarray(0, CHUNK), randomBytes(CHUNK)])
    const wrong = { 'Upload-Checksum': uploadChecksum(other) }
    const was = await stateOf(server, path)
    expectMismatch(await server.client.patch(path, 0, body, { headers: wrong }))
    expect(await stateOf(server, path)).toEqual(was)
    const right = { 'Upload-Checksum': uploadChecksum(body) }
    expect((await server.client.patch(path, 0, body, { headers: right })).status).toBe(422)
    expect(await server.client.offset(path)).toBe(2 * CHUNK)
  })

  it.each([
    ['of an algorithm that is not supported', 'sha3 AAAA'],
    ['in capitals', uploadChecksum(data).replace('sha1', 'SHA1')],
    ['without a digest', 'sha1'],
    ['that is not Base64', 'sha1 !!!!'],
    ['without its padding', 'sha1 foobar'],
    ['that is empty', ''],
  ])('%s is answered 400 before the body is read, and nothing is kept', async (_what, header) => {
    const path = await server.client.create(data.length)
    await sendPlain(server, path, 10)
    const was = await stateOf(server, path)
    const headers = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': 10, 'Content-Length': CHUNK }
    const open = server.client.open('PATCH', path, { ...headers, 'Upload-Checksum': header })
    // "1) 400 Bad Request if the checksum algorithm is not supported by the server".
    const answer = await open.answer
    open.cut()
    expect(answer.status).toBe(400)
    expect(answer.body.toString()).toContain('Upload-Checksum')
    expect(await stateOf(server, path)).toEqual(was)
  })

  it('of another length is one that does not match: 460, and nothing is kept', async () => {
    const path = await server.client.create(data.length)
    const was = await stateOf(server, path)
    for (const checksum of ['sha1 AAAA', `sha1 ${Buffer.from('wrong checksum').toString('base64')}`]) {
      expectMismatch(await server.client.patch(path, 0, data, { headers: { 'Upload-Checksum': checksum } }))
      expect(await stateOf(server, path)).toEqual(was)
    }
  })

  it('of a body that is cut keeps nothing of it', async () => {
    const path = await server.client.create(data.length)
    await sendPlain(server, path, 10)
    const was = await stateOf(server, path)
    const body = data.subarray(10)
    const headers = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': 10, 'Content-Length': body.length }
    const open = server.client.open('PATCH', path, { ...headers, 'Upload-Checksum': uploadChecksum(body) })
    await open.write(body.subarray(0, 2 * CHUNK))
    open.cut()
    await expect(open.answer).rejects.toThrow()
    expect(await stateOf(server, path)).toEqual(was)
    const right = { 'Upload-Checksum': uploadChecksum(body) }
    expect((await server.client.patch(path, 10, body, { headers: right })).status).toBe(204)
    expect(sha256((await server.fileOf(path)) ?? other)).toBe(sha256(data))
  })

  it('keeps nobody from asking for the offset while the body comes, and is none the worse for it', async () => {
    const path = await server.client.create(data.length)
    const headers = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': 0, 'Content-Length': data.length }
    const open = server.client.open('PATCH', path, { ...headers, 'Upload-Checksum': uploadChecksum(data) })
    await open.write(data.subarray(0, 2 * CHUNK))
    expect(await server.client.offset(path)).toBe(0)
    await putChunk(server, path, 1)
    await open.write(data.subarray(2 * CHUNK))
    open.end()
    expect((await open.answer).status).toBe(204)
    expect(sha256((await server.fileOf(path)) ?? other)).toBe(sha256(data))
  })

  it('is of the request in whose header it stands, also where another method is meant', async () => {
    const path = await server.client.create(data.length)
    const headers: TusHeaders = {
      'X-HTTP-Method-Override': 'PATCH',
      'Content-Type': OFFSET_OCTET_STREAM,
      'Upload-Offset': 0,
    }
    const wrong = { ...headers, 'Upload-Checksum': uploadChecksum(other) }
    expectMismatch(await server.client.request('POST', path, { headers: wrong, body: data }))
    const right = { ...headers, 'Upload-Checksum': uploadChecksum(data) }
    expect((await server.client.request('POST', path, { headers: right, body: data })).status).toBe(204)
  })

  it('that is wrong declares no length either', async () => {
    const path = await server.client.create(null)
    const body = data.subarray(0, 2 * CHUNK)
    const declaring = { 'Upload-Length': data.length }
    const wrong = { ...declaring, 'Upload-Checksum': uploadChecksum(other) }
    expectMismatch(await server.client.patch(path, 0, body, { headers: wrong }))
    const head = await server.client.head(path)
    expect(head.headers).toMatchObject({ 'upload-offset': '0', 'upload-defer-length': '1' })
    const right = { ...declaring, 'Upload-Checksum': uploadChecksum(body) }
    expect((await server.client.patch(path, 0, body, { headers: right })).status).toBe(204)
    expect((await server.client.head(path)).headers['upload-length']).toBe(String(data.length))
  })

  it('does not hide an offset that is not right, nor a body that is too long: nothing of those is read', async () => {
    const path = await server.client.create(1000)
    const checksum = { 'Upload-Checksum': uploadChecksum(data.subarray(0, 10)) }
    const behind = await server.client.patch(path, 5, data.subarray(0, 10), { headers: checksum })
    expect([behind.status, behind.headers['upload-offset']]).toEqual([409, '0'])
    for (const chunked of [false, true]) {
      const headers = { 'Upload-Checksum': uploadChecksum(data.subarray(0, 1001)) }
      expect((await server.client.patch(path, 0, data.subarray(0, 1001), { chunked, headers })).status).toBe(413)
    }
    expect(await server.client.offset(path)).toBe(0)
  })

  describe('with the body of a creation', () => {
    const create = (
      headers: TusHeaders,
      body = data,
      more: { chunked?: boolean; trailers?: Record<string, string> } = {},
    ) =>
      server.client.request('POST', '/files', {
        body,
        ...more,
        headers: {
          'Upload-Length': data.length,
          'Content-Type': OFFSET_OCTET_STREAM,
          'Upload-Metadata': encodeMetadata({ filename: 'a' }),
          ...headers,
        },
      })

    it.each([
      ['the whole file', data.length],
      ['a part', CHUNK + 3],
    ])('is verified: %s', async (_what, size) => {
      const body = data.subarray(0, size)
      const answer = await create({ 'Upload-Checksum': uploadChecksum(body, 'sha256') }, body)
      expect([answer.status, answer.headers['upload-offset']]).toEqual([201, String(size)])
    })

    it.each([
      ['is wrong', { 'Upload-Checksum': uploadChecksum(other) }, 460, {}],
      ['is malformed', { 'Upload-Checksum': 'sha1 x' }, 400, {}],
      ['is announced as a trailer and does not come', { Trailer: 'Upload-Checksum' }, 400, { chunked: true }],
      [
        'is a trailer and wrong',
        { Trailer: 'Upload-Checksum' },
        460,
        { chunked: true, trailers: { 'Upload-Checksum': uploadChecksum(other) } },
      ],
    ])('leaves no upload where it %s', async (_what, headers, status, more) => {
      const were = await server.uploadIds()
      const answer = await create(headers, data, more)
      expect(answer.status).toBe(status)
      expect(answer.headers).not.toHaveProperty('location')
      expect(answer.headers).not.toHaveProperty('upload-expires')
      // Of one that was begun a tombstone stays.
      for (const id of await server.uploadIds()) {
        if (!were.includes(id)) expect((await server.client.head(`/files/${id}`)).status).toBe(410)
      }
    })

    it('is looked at, and of nothing, where there is no body', async () => {
      const headers = { 'Upload-Length': 10, 'Upload-Checksum': uploadChecksum(other) }
      expect((await server.client.request('POST', '/files', { headers })).status).toBe(201)
      const malformed = { 'Upload-Length': 10, 'Upload-Checksum': 'sha1 x' }
      expect((await server.client.request('POST', '/files', { headers: malformed })).status).toBe(400)
    })
  })

  describe('as a trailer', () => {
    const announced = { Trailer: 'Upload-Checksum' }
    const patch = (path: string, trailers: Record<string, string> | undefined, headers: TusHeaders = announced) =>
      server.client.patch(path, 0, data, { chunked: true, headers, ...(trailers === undefined ? {} : { trailers }) })

    it.each(ALGORITHMS)('in %s is verified', async (algorithm) => {
      const path = await server.client.create(data.length)
      const was = await stateOf(server, path)
      expectMismatch(await patch(path, { 'Upload-Checksum': uploadChecksum(other, algorithm) }))
      expect(await stateOf(server, path)).toEqual(was)
      expect((await patch(path, { 'Upload-Checksum': uploadChecksum(data, algorithm) })).status).toBe(204)
      expect(sha256((await server.fileOf(path)) ?? other)).toBe(sha256(data))
    })

    it.each([
      ['does not come', undefined],
      ['is not the one that comes', { 'X-Checksum': 'sha1 x' }],
      ['is malformed', { 'Upload-Checksum': 'sha1 x' }],
      ['is of an algorithm that is not supported', { 'Upload-Checksum': 'sha3 AAAA' }],
    ])('that was announced and %s is answered 400, and nothing is kept', async (_what, trailers) => {
      const path = await server.client.create(data.length)
      const was = await stateOf(server, path)
      const answer = await patch(path, trailers)
      expect(answer.status).toBe(400)
      expect(answer.body.toString()).toContain('Upload-Checksum')
      expect(await stateOf(server, path)).toEqual(was)
      expect((await patch(path, { 'Upload-Checksum': uploadChecksum(data) })).status).toBe(204)
    })

    it('is refused where the body has a Content-Length, as only chunked ones have trailers', async () => {
      const path = await server.client.create(data.length)
      const lines = [
        `PATCH ${path} HTTP/1.1`,
        'Host: localhost',
        'Connection: close',
        'Tus-Resumable: 1.0.0',
        `Content-Type: ${OFFSET_OCTET_STREAM}`,
        'Upload-Offset: 0',
        'Content-Length: 3',
        'Trailer: Upload-Checksum',
      ]
      const raw = await sendRaw(Number(new URL(server.url).port), Buffer.from(`${lines.join('\r\n')}\r\n\r\nabc`))
      expect(raw).toMatch(/^HTTP\/1\.1 400 /)
      expect(await server.client.offset(path)).toBe(0)
    })

    it('counts beside a header: both must be right', async () => {
      const path = await server.client.create(data.length)
      const [right, wrong] = [uploadChecksum(data), uploadChecksum(other)]
      for (const [header, trailer] of [
        [right, wrong],
        [wrong, right],
      ] as const) {
        const headers = { ...announced, 'Upload-Checksum': header }
        expectMismatch(await patch(path, { 'Upload-Checksum': trailer }, headers))
      }
      const headers = { ...announced, 'Upload-Checksum': right }
      expect((await patch(path, { 'Upload-Checksum': right }, headers)).status).toBe(204)
    })

    it('that nobody announced is none', async () => {
      const path = await server.client.create(data.length)
      expect((await patch(path, { 'Upload-Checksum': uploadChecksum(other) }, {})).status).toBe(204)
    })
  })

  describe('and Content-Digest', () => {
    it.each([
      ['sha-256', contentDigest(data), contentDigest(other)],
      ['sha-512', contentDigest(data, 'sha512'), contentDigest(other, 'sha512')],
      [
        'two',
        `${contentDigest(data)}, ${contentDigest(data, 'sha512')}`,
        `${contentDigest(data)}, ${contentDigest(other, 'sha512')}`,
      ],
      ['one beside an unknown one', `md5=:AAAA:, ${contentDigest(data)}`, `md5=:AAAA:, ${contentDigest(other)}`],
    ])('of %s are verified alike, as a header and as a trailer', async (_what, right, wrong) => {
      for (const trailer of [false, true]) {
        const path = await server.client.create(data.length)
        const send = (digest: string) =>
          trailer
            ? server.client.patch(path, 0, data, {
                chunked: true,
                headers: { Trailer: 'Content-Digest' },
                trailers: { 'Content-Digest': digest },
              })
            : server.client.patch(path, 0, data, { headers: { 'Content-Digest': digest } })
        const was = await stateOf(server, path)
        expectMismatch(await send(wrong))
        expect(await stateOf(server, path)).toEqual(was)
        expect((await send(right)).status).toBe(204)
      }
    })

    it.each([['md5=:AAAA:'], ['sha-256=:AAAA:'], ['nonsense']])('of %s are refused: 400', async (digest) => {
      const path = await server.client.create(data.length)
      expect((await server.client.patch(path, 0, data, { headers: { 'Content-Digest': digest } })).status).toBe(400)
      expect(await server.client.offset(path)).toBe(0)
    })

    it('are both to be right where both are there', async () => {
      const path = await server.client.create(data.length)
      const headers = { 'Content-Digest': contentDigest(other), 'Upload-Checksum': uploadChecksum(data) }
      expectMismatch(await server.client.patch(path, 0, data, { headers }))
    })
  })

  it('has nothing to do with a checksum that was declared of the whole file: that one ends the upload', async () => {
    const begun = await fetch(`${server.url}/api/v1/uploads/initiate`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ fileName: 'a', fileSize: data.length, checksum: sha256(other) }),
    })
    const { id } = ((await begun.json()) as { readonly data: { readonly id: string } }).data
    const headers = { 'Upload-Checksum': uploadChecksum(data) }
    const answer = await server.client.patch(`/files/${id}`, 0, data, { headers })
    expect(answer.status).toBe(410)
    expect(answer.body.toString()).toContain(sha256(other))
  })

  it('told the operator of no failure', () => {
    expect(server.output()).not.toMatch(/"level":(50|60)|Error/)
  })
})

describe('a body with a checksum that is larger than what can ever be held', () => {
  const server = useServer({ SPOOL_BUDGET: '100000', MEMORY_BUDGET: '1MiB' })

  it('is answered 413 before it is read where it says so, and else when it comes to that; nothing is kept', async () => {
    const path = await server.client.create(data.length)
    const body = data.subarray(0, 100_001)
    const headers: TusHeaders = { 'Upload-Checksum': uploadChecksum(body) }
    const open = server.client.open('PATCH', path, {
      ...headers,
      'Content-Type': OFFSET_OCTET_STREAM,
      'Upload-Offset': 0,
      'Content-Length': body.length,
    })
    const refused = await open.answer
    open.cut()
    expect(refused.status).toBe(413)
    expect(refused.body.toString()).toContain('100000')
    expect((await server.client.patch(path, 0, body, { chunked: true, headers })).status).toBe(413)
    expect(await server.client.offset(path)).toBe(0)
    const less = data.subarray(0, 100_000)
    for (const chunked of [false, true]) {
      const fits = { 'Upload-Checksum': uploadChecksum(less) }
      const again = await server.client.create(data.length)
      expect((await server.client.patch(again, 0, less, { chunked, headers: fits })).status).toBe(204)
    }
    // Without a checksum nothing has to be held.
    expect((await server.client.patch(path, 0, data)).status).toBe(204)
  })
})

describe('a body with a checksum that stalls', () => {
  const server = useServer({ IDLE_TIMEOUT: '300ms' })

  it('is answered 423, and nothing of it is kept', async () => {
    const path = await server.client.create(data.length)
    const headers = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': 0, 'Content-Length': data.length }
    const open = server.client.open('PATCH', path, { ...headers, 'Upload-Checksum': uploadChecksum(data) })
    await open.write(data.subarray(0, CHUNK + 1))
    const answer = await open.answer
    open.cut()
    expect(answer.status).toBe(423)
    expect(answer.body.toString()).toContain('nothing of it was kept')
    expect(await server.client.offset(path)).toBe(0)
  })
})
