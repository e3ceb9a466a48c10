import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concatenate, createPart } from '../../support/concatenation.ts'
import { encodeMetadata, OFFSET_OCTET_STREAM, sha256 } from '../../support/tus-client.ts'
import { CHUNK, idOf, useServer } from './running-server.ts'

const LIMIT = 1024 * 1024
const HELLO = Buffer.from('hello')
const WORLD = Buffer.from(' world')

describe('concatenation', () => {
  const server = useServer({ MAX_FILE_SIZE: String(LIMIT) })
  const part = (bytes: Uint8Array): Promise<string> => createPart(server.client, bytes)
  const final = (parts: readonly string[], headers = {}) => concatenate(server.client, parts, headers)

  it('is announced', async () => {
    // "If the Server supports this extension, it MUST add concatenation to the Tus-Extension header."
    const { headers } = await server.client.request('OPTIONS', '/files')
    const extensions = String(headers['tus-extension']).split(',')
    expect(extensions).toContain('concatenation')
    expect(extensions).not.toContain('concatenation-unfinished')
  })

  describe('a partial upload', () => {
    it('is created, written and asked for as any other, and says what it is', async () => {
      const created = await server.client.request('POST', '/files', {
        headers: { 'Upload-Concat': 'partial', 'Upload-Length': 5 },
      })
      // "The Upload-Concat request and response header MUST be set in both partial and final upload creation requests."
      expect(created).toMatchObject({ status: 201, headers: { 'upload-concat': 'partial' } })
      const path = server.client.locationOf(created)
      // "The response to a HEAD request for a partial upload MUST contain the Upload-Offset header."
      expect((await server.client.head(path)).headers).toMatchObject({
        'upload-offset': '0',
        'upload-length': '5',
        'upload-concat': 'partial',
      })
      // Clients send the header with every request of a partial upload.
      const headers = { 'Upload-Concat': 'partial' }
      expect((await server.client.patch(path, 0, HELLO.subarray(0, 2), { headers })).status).toBe(204)
      expect((await server.client.patch(path, 2, HELLO.subarray(2), { headers })).headers['upload-offset']).toBe('5')
      expect((await server.client.head(path, headers)).headers).toMatchObject({
        'upload-offset': '5',
        'upload-concat': 'partial',
      })
    })

    it('may bring its bytes with its creation, and its length later', async () => {
      const whole = await part(HELLO)
      expect(await server.client.offset(whole)).toBe(5)
      const deferred = await server.client.create(null, { 'Upload-Concat': 'partial' })
      expect((await server.client.head(deferred)).headers).toMatchObject({
        'upload-defer-length': '1',
        'upload-concat': 'partial',
      })
      await server.client.patch(deferred, 0, WORLD, { headers: { 'Upload-Length': WORLD.length } })
      const made = server.client.locationOf(await final([whole, deferred]))
      expect((await server.client.request('GET', made)).body.toString()).toBe('hello world')
    })

    it('is no file: it is not given out, has no record, and lies among the uploads', async () => {
      const path = await part(HELLO)
      expect((await server.client.request('GET', path)).status).toBe(404)
      await expect(server.fileOf(path)).resolves.toBeNull()
      expect(await server.received(path)).toBe(5)
      const { status, data } = await json('GET', `/${idOf(path)}/progress`)
      expect([status, data]).toMatchObject([200, { uploadedBytes: 5, status: 'uploaded', missingChunks: [] }])
      expect((await fetch(`${server.url}/api/v1/files/${String(data?.['fileId'])}`)).status).toBe(404)
      expect(await json('POST', `/${idOf(path)}/complete`)).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    })

    it('tells when it expires, also when it is whole', async () => {
      const path = await part(HELLO)
      expect((await server.client.head(path)).headers).toHaveProperty('upload-expires')
    })

    it('is removed by DELETE, and on the other face', async () => {
      const [one, other] = [await part(HELLO), await part(HELLO)]
      expect((await server.client.request('DELETE', one)).status).toBe(204)
      expect((await json('DELETE', `/${idOf(other)}`)).status).toBe(200)
      for (const path of [one, other]) {
        expect((await server.client.head(path)).status).toBe(410)
        expect(await server.received(path)).toBe(0)
      }
    })
  })

  describe('a final upload', () => {
    it('is the partial ones in the order of the list', async () => {
      const parts = [await part(HELLO), await part(WORLD)]
      const created = await final(parts)
      const value = `final;${parts.join(' ')}`
      expect(created).toMatchObject({ status: 201, headers: { 'upload-concat': value, 'tus-resumable': '1.0.0' } })
      expect(created.body).toHaveLength(0)
      const path = server.client.locationOf(created)
      // "After successful concatenation, the Upload-Offset and Upload-Length MUST be set and their values MUST be equal."
      // "Response to HEAD request against partial or final upload MUST include the Upload-Concat header and its value as
      // received in the upload creation request."
      const head = await server.client.head(path)
      expect(head.headers).toMatchObject({ 'upload-offset': '11', 'upload-length': '11', 'upload-concat': value })
      expect(head.headers).not.toHaveProperty('upload-expires')
      expect((await server.client.request('GET', path)).body.toString()).toBe('hello world')
      const other = server.client.locationOf(await final(parts.toReversed()))
      expect((await server.client.request('GET', other)).body.toString()).toBe(' worldhello')
    })

    it('crosses chunks wherever the partial ones end', async () => {
      const sizes = [1, CHUNK - 1, CHUNK, 0, 3 * CHUNK + 7, 2, CHUNK + 1]
      const all = sizes.map((size) => randomBytes(size))
      const parts: string[] = []
      for (const bytes of all) parts.push(await part(bytes))
      const path = server.client.locationOf(await final(parts))
      const { body } = await server.client.request('GET', path)
      expect(sha256(body)).toBe(sha256(Buffer.concat(all)))
      const { data } = await json('GET', `/${idOf(path)}/progress`)
      expect(data).toMatchObject({ status: 'uploaded', chunkSize: CHUNK, uploadedBytes: body.length })
      const completed = await json('POST', `/${idOf(path)}/complete`)
      expect(completed).toMatchObject({ status: 200, data: { checksum: sha256(body), size: body.length } })
    })

    // "The same partial upload MAY be present multiple times in the Upload-Concat header in one upload creation request or
    // MAY be used in multiple upload creation requests."
    it('may have a partial one more than once, and share it with others', async () => {
      const [hello, world] = [await part(HELLO), await part(WORLD)]
      for (const [parts, text] of [
        [[hello, hello, world], 'hellohello world'],
        [[hello], 'hello'],
        [[world, hello, world], ' worldhello world'],
      ] as const) {
        const path = server.client.locationOf(await final(parts))
        expect((await server.client.request('GET', path)).body.toString()).toBe(text)
      }
    })

    it('may be empty', async () => {
      const path = server.client.locationOf(await final([await part(Buffer.alloc(0))]))
      expect((await server.client.head(path)).headers).toMatchObject({ 'upload-offset': '0', 'upload-length': '0' })
      expect((await server.client.request('GET', path)).body).toHaveLength(0)
    })

    it('has metadata of its own', async () => {
      const parts = [
        await createPart(server.client, HELLO, { 'Upload-Metadata': encodeMetadata({ filename: 'part', of: 'x' }) }),
      ]
      const metadata = encodeMetadata({ filename: 'greeting.txt', filetype: 'text/plain', mood: 'good' })
      const path = server.client.locationOf(await final(parts, { 'Upload-Metadata': metadata }))
      expect((await server.client.head(path)).headers['upload-metadata']).toBe(metadata)
      const { headers } = await server.client.request('GET', path)
      expect(headers['content-type']).toBe('text/plain')
      expect(headers['content-disposition']).toContain('greeting.txt')
      // "the partial uploads' metadata SHALL NOT be transferred to the new final upload"
      const bare = server.client.locationOf(await final(parts))
      expect((await server.client.head(bare)).headers).not.toHaveProperty('upload-metadata')
    })

    it('is found again by the same request, also when its partial ones are gone', async () => {
      const parts = [await part(HELLO), await part(WORLD)]
      const first = server.client.locationOf(await final(parts))
      expect(server.client.locationOf(await final(parts))).toBe(first)
      // With tokens that were renewed meanwhile.
      expect(server.client.locationOf(await final(parts.map((path) => `${path}?token=new`)))).toBe(first)
      for (const path of parts) await server.client.request('DELETE', path)
      const again = await final(parts)
      expect([again.status, server.client.locationOf(again)]).toEqual([201, first])
      expect((await server.client.request('GET', first)).body.toString()).toBe('hello world')
      expect((await server.client.head(first)).headers['upload-concat']).toBe(`final;${parts.join(' ')}`)
      // Another file of the same bytes is another file; so is one of a list that is written otherwise, as it is told so.
      expect((await final(parts.map((path) => server.url + path))).status).toBe(410)
      expect((await final(parts, { 'Upload-Metadata': encodeMetadata({ filename: 'b' }) })).status).toBe(410)
    })

    it('is made once by many requests at the same time', async () => {
      const parts = [await part(randomBytes(3 * CHUNK)), await part(randomBytes(2 * CHUNK + 5))]
      const answers = await Promise.all(Array.from({ length: 6 }, () => final(parts)))
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201))
      expect(new Set(answers.map((answer) => server.client.locationOf(answer))).size).toBe(1)
    })

    it('is made anew after it was removed', async () => {
      const parts = [await part(HELLO)]
      const first = server.client.locationOf(await final(parts))
      expect((await server.client.request('DELETE', first)).status).toBe(204)
      expect((await server.client.head(first)).status).toBe(410)
      const second = server.client.locationOf(await final(parts))
      expect(second).not.toBe(first)
      expect((await server.client.request('GET', second)).body.toString()).toBe('hello')
      expect(server.client.locationOf(await final(parts))).toBe(second)
    })

    // "The partial uploads URLs MAY be absolute or relative".
    it.each([
      ['a path', (id: string) => `/files/${id}`],
      ['a path with a slash at its end', (id: string) => `/files/${id}/`],
      ['a path with a query', (id: string) => `/files/${id}?token=a.b-c`],
      ['a relative path', (id: string) => `files/${id}`],
      ['an id alone', (id: string) => id],
      ['an address of another name of this server', (id: string) => `https://upload.example.org/files/${id}`],
      ['an address below the path of a proxy', (id: string) => `https://example.org/a/b/files/${id}?token=x`],
      ['an address without a scheme', (id: string) => `//example.org/files/${id}`],
    ])('takes %s for a partial one', async (_, write) => {
      const urls = [write(idOf(await part(HELLO))), write(idOf(await part(WORLD)))]
      const created = await final(urls)
      expect(created).toMatchObject({ status: 201, headers: { 'upload-concat': `final;${urls.join(' ')}` } })
      const path = server.client.locationOf(created)
      expect((await server.client.request('GET', path)).body.toString()).toBe('hello world')
    })

    it('takes spaces around the list', async () => {
      const created = await final([' ', await part(HELLO), '', await part(WORLD), ' '])
      expect((await server.client.request('GET', server.client.locationOf(created))).body.toString()).toBe(
        'hello world',
      )
    })

    it('takes no bytes: PATCH is 403, and changes nothing', async () => {
      // "The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL and MUST NOT
      // modify the final or its partial uploads."
      const parts = [await part(HELLO), await part(WORLD)]
      const path = server.client.locationOf(await final(parts))
      for (const [offset, body] of [
        [11, Buffer.from('more')],
        [11, Buffer.alloc(0)],
        [0, HELLO],
        [5, WORLD],
      ] as const) {
        expect((await server.client.patch(path, offset, body)).status).toBe(403)
      }
      const chunk = await json('POST', `/${idOf(path)}/chunks`, HELLO, { 'X-Chunk-Number': '0' })
      expect(chunk).toMatchObject({ status: 403, code: 'FORBIDDEN' })
      expect(await server.client.offset(path)).toBe(11)
      for (const one of parts) expect((await server.client.head(one)).status).toBe(200)
      expect((await server.client.request('GET', path)).body.toString()).toBe('hello world')
    })

    it('stays when its partial ones are removed, and leaves them when it is', async () => {
      const parts = [await part(randomBytes(CHUNK + 1)), await part(WORLD)]
      const path = server.client.locationOf(await final(parts))
      const before = sha256((await server.client.request('GET', path)).body)
      await server.client.request('DELETE', parts[0] ?? '')
      expect(sha256((await server.client.request('GET', path)).body)).toBe(before)
      await server.client.request('DELETE', path)
      expect((await server.client.head(parts[1] ?? '')).headers['upload-offset']).toBe('6')
    })

    it('is made of fifty partial ones', async () => {
      const all = Array.from({ length: 50 }, (_, n) => randomBytes(1000 + n * 137))
      const parts = await Promise.all(all.map(part))
      const path = server.client.locationOf(await final(parts))
      expect(sha256((await server.client.request('GET', path)).body)).toBe(sha256(Buffer.concat(all)))
    })
  })

  describe('what is refused leaves nothing behind', () => {
    async function refused(status: number, headers: Record<string, string | number>, body?: Buffer) {
      const before = await server.uploadIds()
      const answer = await server.client.request('POST', '/files', { headers, ...(body === undefined ? {} : { body }) })
      expect([answer.status, answer.body.toString()]).toEqual([status, expect.stringMatching(/\w/)])
      expect(answer.headers).not.toHaveProperty('location')
      expect((await server.uploadIds()).toSorted()).toEqual(before.toSorted())
      return answer.body.toString()
    }

    it.each([
      'Partial',
      'partial;',
      'partial, partial',
      'final',
      'final;',
      'final;   ',
      'final /files/a',
      'final,/files/a',
      'other',
      'final;/other/5b0a1c1e-0000-4000-8000-000000000000',
      'final;/files/',
      'final;/files/a/b',
      'final;http://[',
      'final;mailto:a@example.org',
      'final;/files/%E0%A4%A',
    ])('an Upload-Concat of %j', async (value) => {
      // With and without a length: neither is created as something else.
      await refused(400, { 'Upload-Concat': value })
      await refused(400, { 'Upload-Concat': value, 'Upload-Length': 5 })
    })

    it('a list that is too long', async () => {
      expect(await refused(400, { 'Upload-Concat': `final;${'a '.repeat(1001)}` })).toContain('1000')
    })

    it('a length, or its deferral', async () => {
      const value = `final;${await part(HELLO)}`
      // "The Client MUST NOT include the Upload-Length header in the final upload creation."
      expect(await refused(400, { 'Upload-Concat': value, 'Upload-Length': 5 })).toContain('Upload-Length')
      await refused(400, { 'Upload-Concat': value, 'Upload-Defer-Length': 1 })
    })

    it('a body', async () => {
      const headers = { 'Upload-Concat': `final;${await part(HELLO)}` }
      await refused(403, { ...headers, 'Content-Type': OFFSET_OCTET_STREAM }, WORLD)
      await refused(403, headers, WORLD)
    })

    it('bad metadata', async () => {
      await refused(400, { 'Upload-Concat': `final;${await part(HELLO)}`, 'Upload-Metadata': 'filename ä' })
    })

    it('a partial one that is not there, or is gone', async () => {
      const hello = await part(HELLO)
      expect(await refused(404, { 'Upload-Concat': `final;${hello} /files/${randomUUID()}` })).toContain('2')
      await refused(404, { 'Upload-Concat': 'final;/files/none' })
      const gone = await part(WORLD)
      await server.client.request('DELETE', gone)
      expect(await refused(410, { 'Upload-Concat': `final;${hello} ${gone}` })).toContain('2')
    })

    it('a partial one that is not finished', async () => {
      const path = await server.client.create(10, { 'Upload-Concat': 'partial' })
      await server.client.patch(path, 0, HELLO)
      expect(await refused(400, { 'Upload-Concat': `final;${path}` })).toContain('not finished')
      const deferred = await server.client.create(null, { 'Upload-Concat': 'partial' })
      await server.client.patch(deferred, 0, HELLO)
      await refused(400, { 'Upload-Concat': `final;${deferred}` })
      // Neither is harmed.
      expect(await server.client.offset(path)).toBe(5)
      await server.client.patch(path, 5, HELLO)
      expect((await final([path])).status).toBe(201)
    })

    it('what is no partial upload: a file, and a final', async () => {
      const hello = await part(HELLO)
      const file = await server.client.create(5)
      await server.client.patch(file, 0, HELLO)
      await refused(400, { 'Upload-Concat': `final;${hello} ${file}` })
      const made = server.client.locationOf(await final([hello]))
      await refused(400, { 'Upload-Concat': `final;${hello} ${made}` })
    })

    it('more bytes than a file may have', async () => {
      const half = await part(randomBytes(LIMIT / 2 + 1))
      expect(await refused(413, { 'Upload-Concat': `final;${half} ${half}` })).toContain(String(LIMIT))
      const exact = await part(randomBytes(LIMIT / 2 - 1))
      expect((await final([half, exact])).status).toBe(201)
    })

    it('another version of the protocol', async () => {
      await refused(412, { 'Upload-Concat': `final;${await part(HELLO)}`, 'Tus-Resumable': '0.2.2' })
    })
  })

  async function json(method: string, path: string, body?: Buffer, headers: Record<string, string> = {}) {
    const answer = await fetch(`${server.url}/api/v1/uploads${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/octet-stream' }), ...headers },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    })
    const { data, error } = (await answer.json()) as {
      readonly data?: Record<string, unknown>
      readonly error?: { readonly code: string }
    }
    return { status: answer.status, data, code: error?.code }
  }
})

describe('partial uploads whose time is over', () => {
  const server = useServer({ EXPIRES_AFTER: '2s' })

  it('are deleted, and what was made of them stays', async () => {
    const used = await createPart(server.client, HELLO)
    const made = server.client.locationOf(await concatenate(server.client, [used]))
    const unused = await createPart(server.client, WORLD)
    const ended = (path: string) => expect.poll(() => server.received(path), { interval: 50, timeout: 10_000 }).toBe(0)
    // Nobody asks for them: the server deletes them by itself.
    await Promise.all([ended(used), ended(unused)])
    // Whoever looks after the bytes are gone is told so: the end was recorded first.
    for (const path of [used, unused]) expect((await server.client.head(path)).status).toBe(410)
    expect((await concatenate(server.client, [unused])).status).toBe(410)
    // The same request still finds what it has made.
    expect(server.client.locationOf(await concatenate(server.client, [used]))).toBe(made)
    expect((await server.client.request('GET', made)).body.toString()).toBe('hello')
  })
})

describe('addresses of partial uploads behind a proxy', () => {
  const server = useServer({ PUBLIC_URL: 'https://upload.example.org/base', TUS_PATH: '/files/up' })

  it('are taken as Location gave them', async () => {
    const urls: string[] = []
    for (const bytes of [HELLO, WORLD]) {
      const answer = await server.client.request('POST', '/files/up', {
        headers: { 'Upload-Concat': 'partial', 'Upload-Length': bytes.length, 'Content-Type': OFFSET_OCTET_STREAM },
        body: bytes,
      })
      urls.push(String(answer.headers.location))
    }
    expect(urls[0]).toMatch(/^https:\/\/upload\.example\.org\/base\/files\/up\//)
    const made = await server.client.request('POST', '/files/up', {
      headers: { 'Upload-Concat': `final;${urls.join(' ')}` },
    })
    expect(made.status).toBe(201)
    const { pathname } = new URL(String(made.headers.location))
    const got = await server.client.request('GET', pathname.replace('/base', ''))
    expect(got.body.toString()).toBe('hello world')
  })
})
