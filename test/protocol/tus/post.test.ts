import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { encodeMetadata, OFFSET_OCTET_STREAM, sha256 } from '../../support/tus-client.ts'
import { CHUNK, idOf, useServer } from './running-server.ts'

const LIMIT = 1024 * 1024

describe('POST', () => {
  const server = useServer()

  it('answers 201 with the address of the upload', async () => {
    const answer = await server.client.request('POST', '/files', { headers: { 'Upload-Length': 100 } })
    // "The Server MUST acknowledge a successful upload creation with the 201 Created status. The Server MUST set the
    // Location header to the URL of the created resource. This URL MAY be absolute or relative."
    expect(answer.status).toBe(201)
    expect(answer.body).toHaveLength(0)
    // "The Tus-Resumable header MUST be included in every request and response except for OPTIONS requests."
    expect(answer.headers['tus-resumable']).toBe('1.0.0')
    const path = server.client.locationOf(answer)
    expect(path).toMatch(/^\/files\/[\w-]+$/)
    await expect(server.client.offset(path)).resolves.toBe(0)
  })

  it('creates at the address with a slash at its end and with a query', async () => {
    for (const path of ['/files/', '/files?token=abc', '/files/?token=abc']) {
      const answer = await server.client.request('POST', path, { headers: { 'Upload-Length': 1 } })
      expect(answer.status, path).toBe(201)
      expect(server.client.locationOf(answer), path).toMatch(/^\/files\/[\w-]+$/)
    }
  })

  it('creates an empty file that is finished at once', async () => {
    const path = await server.client.create(0)
    // "The Server MUST always include the Upload-Offset header […] even if the offset is 0, or the upload is already
    // considered completed."
    const head = await server.client.head(path)
    expect(head.headers).toMatchObject({ 'upload-offset': '0', 'upload-length': '0' })
    await expect(server.fileOf(path)).resolves.toHaveLength(0)
  })

  it('creates with the largest length there is', async () => {
    const path = await server.client.create(Number.MAX_SAFE_INTEGER)
    const head = await server.client.head(path)
    expect(head.headers['upload-length']).toBe(String(Number.MAX_SAFE_INTEGER))
  })

  // "The request MUST include one of the following headers: a) Upload-Length to indicate the size of an entire upload in
  // bytes. b) Upload-Defer-Length: 1 if upload size is not known at the time."
  it.each([
    ['neither length nor deferral', {}],
    ['both length and deferral', { 'Upload-Length': 5, 'Upload-Defer-Length': 1 }],
  ])('answers 400 to %s', async (_, headers) => {
    const before = await server.uploadIds()
    const answer = await server.client.request('POST', '/files', { headers })
    expect(answer.status).toBe(400)
    expect(answer.headers).not.toHaveProperty('location')
    await expect(server.uploadIds()).resolves.toEqual(before)
  })

  // "[Upload-Length] The value MUST be a non-negative integer."
  it.each(['-1', '1.5', '1e3', '0x10', 'abc', '+5', 'Infinity', '5, 5'])(
    'answers 400 to an Upload-Length of %s',
    async (length) => {
      const before = await server.uploadIds()
      const answer = await server.client.request('POST', '/files', { headers: { 'Upload-Length': length } })
      expect(answer.status).toBe(400)
      await expect(server.uploadIds()).resolves.toEqual(before)
    },
  )

  // "If the length of the upload exceeds the maximum [...], the Server MUST respond with the 413 [...] status."
  it.each(['9007199254740992', '9223372036854775807', '99999999999999999999'])(
    'answers 413 to an Upload-Length of %s, which no file could have',
    async (length) => {
      const before = await server.uploadIds()
      const answer = await server.client.request('POST', '/files', { headers: { 'Upload-Length': length } })
      expect(answer.status).toBe(413)
      await expect(server.uploadIds()).resolves.toEqual(before)
      const path = await server.client.create(null)
      const declared = await server.client.patch(path, 0, Buffer.from('a'), { headers: { 'Upload-Length': length } })
      expect(declared.status).toBe(413)
      await expect(server.client.offset(path)).resolves.toBe(0)
    },
  )

  // "[Upload-Defer-Length] Its value MUST be 1."
  it.each(['0', '2', 'true'])('answers 400 to an Upload-Defer-Length of %s', async (value) => {
    const answer = await server.client.request('POST', '/files', { headers: { 'Upload-Defer-Length': value } })
    expect(answer.status).toBe(400)
  })

  it('answers 405 with Allow on the address of an upload', async () => {
    const path = await server.client.create(1)
    const answer = await server.client.request('POST', path, { headers: { 'Upload-Length': 1 } })
    expect(answer.status).toBe(405)
    expect(answer.headers.allow).toContain('PATCH')
  })
})

describe('POST with metadata', () => {
  const server = useServer()

  async function post(header: string): Promise<number> {
    const headers = { 'Upload-Length': 1, 'Upload-Metadata': header }
    return (await server.client.request('POST', '/files', { headers })).status
  }

  it.each([
    ['a value of UTF-8', encodeMetadata({ filename: 'päper ✓ 📦.pdf', note: '日本語' })],
    // "The value MAY be empty. In these cases, the space, which would normally separate the key and the value, MAY be
    // left out."
    ['a key without a value', 'is_confidential,filename YQ=='],
    ['an empty value behind a space', 'empty ,filename YQ=='],
    // "The key MUST NOT contain spaces and commas and MUST NOT be empty."
    ['a key of any other ASCII', '~!@#$%^&*()=+[]{}|;:\'"<>/?`. YQ=='],
    ['a key that is a property of every object', 'constructor YQ==,toString Yg=='],
    ['a key named __proto__', '__proto__ YQ=='],
    ['a name of 255 bytes', encodeMetadata({ filename: 'x'.repeat(255) })],
  ])('accepts %s', async (_, header) => {
    await expect(post(header)).resolves.toBe(201)
  })

  // "The Upload-Metadata request and response header MUST consist of one or more comma-separated key-value pairs. The key
  // and value MUST be separated by a space. The key MUST NOT contain spaces and commas and MUST NOT be empty. […] the value
  // MUST be Base64 encoded. All keys MUST be unique."
  it.each([
    ['a value that is not Base64', 'filename not_base64!'],
    ['Base64 cut short', 'filename YWJ'],
    ['an empty pair', 'filename YQ==,,note Yg=='],
    ['two spaces', 'filename  YQ=='],
    ['a key twice', 'note YQ==,note Yg=='],
    ['a name with a slash', encodeMetadata({ filename: '../../etc/passwd' })],
    ['a name with a backslash', encodeMetadata({ filename: 'a\\b' })],
    ['a name that is a path to the folder above', encodeMetadata({ filename: '..' })],
    ['a name with NUL', encodeMetadata({ filename: 'a\0b' })],
    ['a name with a line break', encodeMetadata({ filename: 'a\r\nSet-Cookie: x=y' })],
    ['a name of 256 bytes', encodeMetadata({ filename: 'x'.repeat(256) })],
    ['a name with a slash under the key `name`', encodeMetadata({ name: 'a/b' })],
  ])('answers 400 to %s and leaves nothing behind', async (_, header) => {
    const before = await server.uploadIds()
    await expect(post(header)).resolves.toBe(400)
    await expect(server.uploadIds()).resolves.toEqual(before)
  })

  it('takes 8 KiB of metadata as JSON and not a byte more', async () => {
    const fitting = 'x'.repeat(8 * 1024 - Buffer.byteLength('{"note":""}'))
    await expect(post(encodeMetadata({ filename: 'a', note: fitting }))).resolves.toBe(201)
    await expect(post(encodeMetadata({ filename: 'a', note: `${fitting}x` }))).resolves.toBe(400)
  })
})

describe('POST with a body (creation-with-upload)', () => {
  const server = useServer()
  const data = randomBytes(3 * CHUNK + 99)

  it('finishes an upload whose whole file it brings', async () => {
    const answer = await server.client.request('POST', '/files', {
      headers: { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': data.length },
      body: data,
    })
    expect(answer.status).toBe(201)
    // "The Server SHOULD accept as many bytes as possible and MUST include the Upload-Offset header in the response and MUST
    // set its value to the offset of the upload after applying the accepted bytes."
    expect(answer.headers['upload-offset']).toBe(String(data.length))
    const path = server.client.locationOf(answer)
    expect(sha256((await server.fileOf(path)) ?? Buffer.alloc(0))).toBe(sha256(data))
  })

  it.each([
    ['with a Content-Length', false],
    ['with chunked transfer encoding', true],
  ])('keeps a first part that comes %s, and PATCH goes on from there', async (_, chunked) => {
    const part = data.subarray(0, CHUNK + 5)
    const answer = await server.client.request('POST', '/files', {
      headers: { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': data.length },
      body: part,
      chunked,
    })
    expect(answer.status).toBe(201)
    expect(answer.headers['upload-offset']).toBe(String(part.length))
    const path = server.client.locationOf(answer)
    await expect(server.client.offset(path)).resolves.toBe(part.length)
    const rest = await server.client.patch(path, part.length, data.subarray(part.length))
    expect(rest.status).toBe(204)
    expect(sha256((await server.fileOf(path)) ?? Buffer.alloc(0))).toBe(sha256(data))
  })

  it('answers an empty body of the right type with an offset of 0', async () => {
    const answer = await server.client.request('POST', '/files', {
      headers: { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': 5 },
      body: Buffer.alloc(0),
    })
    expect(answer.status).toBe(201)
    expect(answer.headers['upload-offset']).toBe('0')
  })

  // "The Client MUST include the Content-Type: application/offset+octet-stream header."
  it.each([['text/plain'], ['application/octet-stream'], [undefined]])(
    'answers 415 to a body of type %s and leaves nothing behind',
    async (type) => {
      const before = await server.uploadIds()
      const answer = await server.client.request('POST', '/files', {
        headers: { 'Content-Type': type, 'Upload-Length': data.length },
        body: data,
      })
      expect(answer.status).toBe(415)
      await expect(server.uploadIds()).resolves.toEqual(before)
    },
  )

  it('ignores the type of a body that is not there', async () => {
    const answer = await server.client.request('POST', '/files', {
      headers: { 'Content-Type': 'application/json', 'Content-Length': 0, 'Upload-Length': 5 },
    })
    expect(answer.status).toBe(201)
  })

  it.each([
    ['with a Content-Length', false],
    ['with chunked transfer encoding', true],
  ])('answers 413 to a body %s that is longer than the upload and leaves nothing behind', async (_, chunked) => {
    const before = await server.uploadIds()
    const answer = await server.client.request('POST', '/files', {
      headers: { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': data.length - 1 },
      body: data,
      chunked,
    })
    expect(answer.status).toBe(413)
    expect(answer.headers).not.toHaveProperty('location')
    for (const id of await server.uploadIds()) {
      // A tombstone may stand for a while; nothing that takes bytes may.
      if (!before.includes(id)) expect((await server.client.head(`/files/${id}`)).status).toBe(410)
    }
  })

  it('keeps what came before the connection broke in the middle of the body', async () => {
    const before = await server.uploadIds()
    const open = server.client.open('POST', '/files', {
      'Content-Type': OFFSET_OCTET_STREAM,
      'Content-Length': data.length,
      'Upload-Length': data.length,
    })
    await open.write(data.subarray(0, CHUNK + 1))
    const path = await expect
      .poll(async () => (await server.uploadIds()).find((id) => !before.includes(id)), { interval: 10 })
      .toBeDefined()
      .then(async () => `/files/${(await server.uploadIds()).find((id) => !before.includes(id)) ?? ''}`)
    await expect.poll(() => server.received(path), { interval: 10 }).toBe(CHUNK + 1)
    open.cut()
    // "The Server SHOULD always attempt to store as much of the received data as possible."
    await expect(server.client.offset(path)).resolves.toBe(CHUNK + 1)
    expect(idOf(path)).not.toBe('')
  })
})

describe('POST on a server with a largest size', () => {
  const server = useServer({ MAX_FILE_SIZE: String(LIMIT) })

  it('takes a file of exactly that size', async () => {
    await expect(server.client.create(LIMIT)).resolves.toMatch(/^\/files\//)
  })

  it('answers 413 to one byte more', async () => {
    const answer = await server.client.request('POST', '/files', { headers: { 'Upload-Length': LIMIT + 1 } })
    // "If the length of the upload exceeds the maximum, which MAY be specified using the Tus-Max-Size header, the Server MUST
    // respond with the 413 Request Entity Too Large status."
    expect(answer.status).toBe(413)
    await expect(server.uploadIds()).resolves.not.toContain(idOf(String(answer.headers.location)))
  })

  it('answers 413 to a deferred length whose body or whose declaration is longer', async () => {
    const path = await server.client.create(null)
    const body = await server.client.patch(path, 0, randomBytes(LIMIT + 1))
    expect(body.status).toBe(413)
    const declared = await server.client.patch(path, 0, Buffer.alloc(0), { headers: { 'Upload-Length': LIMIT + 1 } })
    expect(declared.status).toBe(413)
    await expect(server.client.offset(path)).resolves.toBe(0)
  })
})
