import { describe, expect, it } from 'vitest'
import { type Answer, chunkHeaders, failureOf, type ProgressAnswer, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()

/** An answer that has to be a failure, with what it has to say. */
interface Expected {
  readonly status: number
  readonly code: string
  readonly says: RegExp
  readonly field?: string
}

function check(answer: Answer, { status, code, says, field }: Expected): void {
  const failure = failureOf(answer, status, code)
  expect(failure.message).toMatch(says)
  if (field !== undefined) expect(failure.details).toMatchObject({ field })
}

/** Does something to an upload of two and a half chunks, and expects that the upload is as it was. */
async function changesNothing(work: (id: string) => Promise<void>): Promise<void> {
  const { client } = server
  const { id } = await client.begin({ fileSize: 10, chunkSize: 4 })
  await client.sent(id, 1, someFile(4))
  const { bytesPerSecond: _, estimatedTimeRemaining: __, ...before } = await client.progressed(id)

  await work(id)

  const { bytesPerSecond: ___, estimatedTimeRemaining: ____, ...after } = await client.progressed(id)
  expect(after satisfies Partial<ProgressAnswer>).toEqual(before)
  // Nothing holds the chunk, and no bytes are in the way of the true ones.
  await client.sent(id, 0, someFile(4))
}

describe('a chunk number', () => {
  it.each([
    ['negative', '-1'],
    ['the first behind the last', '3'],
    ['huge', '99999999999999999999'],
    ['2^53', '9007199254740992'],
    ['fractional', '1.5'],
    ['a whole number with a fraction', '0.0'],
    ['with an exponent', '1e0'],
    ['hexadecimal', '0x0'],
    ['with a plus sign', '+0'],
    ['no number', 'first'],
    ['a list', '0,2'],
    ['NaN', 'NaN'],
  ])('that is %s (%j) is refused with 400 INVALID_CHUNK_NUMBER', async (_, number) => {
    await changesNothing(async (id) => {
      const answer = await server.client.chunk(id, number, someFile(4))

      check(answer, { status: 400, code: 'INVALID_CHUNK_NUMBER', says: /X-Chunk-Number|chunks 0 to 2/ })
    })
  })

  it('that is missing is refused with 400 INVALID_REQUEST', async () => {
    await changesNothing(async (id) => {
      const { client } = server
      const answer = await client.call('POST', client.target(id, 'chunks'), {
        headers: { 'Content-Type': 'application/octet-stream' },
        body: someFile(4),
      })

      check(answer, { status: 400, code: 'INVALID_REQUEST', says: /X-Chunk-Number/, field: 'X-Chunk-Number' })
    })
  })

  it('that is empty is refused with 400 INVALID_REQUEST', async () => {
    await changesNothing(async (id) => {
      const answer = await server.client.chunk(id, '', someFile(4))

      check(answer, { status: 400, code: 'INVALID_REQUEST', says: /X-Chunk-Number/, field: 'X-Chunk-Number' })
    })
  })

  it('that stands there twice is refused with 400 INVALID_CHUNK_NUMBER', async () => {
    await changesNothing(async (id) => {
      const answer = await server.client.chunk(id, 0, someFile(4), { 'X-Chunk-Number': ['0', '2'] })

      check(answer, { status: 400, code: 'INVALID_CHUNK_NUMBER', says: /X-Chunk-Number/ })
    })
  })

  it('of a file of 0 bytes is refused with 400 INVALID_CHUNK_NUMBER, and the file can be completed', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 0 })

    const answer = await client.chunk(id, 0, Buffer.alloc(0))

    check(answer, { status: 400, code: 'INVALID_CHUNK_NUMBER', says: /no chunks/ })
    expect(await client.completed(id)).toMatchObject({ size: 0 })
  })
})

describe('the body of a chunk', () => {
  it.each([
    ['one byte too short', 0, 3, /\b4\b.*\b3\b/],
    ['one byte too long', 0, 5, /\b4\b.*\b5\b/],
    ['empty', 0, 0, /\b4\b.*\b0\b/],
    ['too long for the last chunk', 2, 4, /\b2\b.*\b4\b/],
    ['much too long', 0, 3_000_000, /\b4\b.*\b3000000\b/],
  ])('that is %s is refused with 400 CHUNK_SIZE_MISMATCH, naming both sizes', async (_, number, size, says) => {
    await changesNothing(async (id) => {
      const answer = await server.client.chunk(id, number, someFile(size))

      check(answer, { status: 400, code: 'CHUNK_SIZE_MISMATCH', says })
    })
  })

  it.each([
    ['one byte too short', 0, [3], /\b4\b.*\b3\b/],
    ['one byte too long', 0, [4, 1], /\b4\b.*\bmore\b|\b4\b.*\b5\b/],
    ['empty', 0, [], /\b4\b.*\b0\b/],
    ['too long for the last chunk', 2, [1, 2, 3], /\b2\b.*\bmore\b|\b2\b.*\b6\b/],
    ['much too long', 0, [1_000_000, 1_000_000, 1_000_000], /\b4\b.*\bmore\b/],
  ])('of unknown length that is %s is refused with 400 CHUNK_SIZE_MISMATCH', async (_, number, sizes, says) => {
    await changesNothing(async (id) => {
      const pieces = sizes.map((size) => someFile(size))
      const answer = await server.client.chunk(id, number, pieces, { 'Transfer-Encoding': 'chunked' })

      check(answer, { status: 400, code: 'CHUNK_SIZE_MISMATCH', says })
    })
  })

  it.each([
    ['of known length', 4],
    ['of unknown length', undefined],
  ])('%s that is cut in the middle leaves nothing', async (_, length) => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 10, chunkSize: 4 })
    const open = client.openChunk(id, 0, length)
    await open.write(someFile(3))
    await server.hasBegunToWrite(id)

    await open.cut()

    expect(await client.progressed(id)).toMatchObject({
      status: 'initiated',
      uploadedBytes: 0,
      missingChunks: [[0, 2]],
    })
    const bytes = someFile(4)
    expect(await client.sent(id, 0, bytes)).toMatchObject({ size: 4 })
    expect(await client.progressed(id)).toMatchObject({ uploadedBytes: 4, missingChunks: [[1, 2]] })
  })

  it.each(['text/plain', 'application/json', 'multipart/form-data; boundary=x', 'application/offset+octet-stream'])(
    'of the type %s is refused with 415 UNSUPPORTED_MEDIA_TYPE',
    async (type) => {
      await changesNothing(async (id) => {
        const answer = await server.client.chunk(id, 0, someFile(4), { 'Content-Type': type })

        check(answer, { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', says: /application\/octet-stream/ })
      })
    },
  )

  it('that is compressed is refused with 415 UNSUPPORTED_MEDIA_TYPE', async () => {
    await changesNothing(async (id) => {
      const answer = await server.client.chunk(id, 0, someFile(4), { 'Content-Encoding': 'gzip' })

      check(answer, { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', says: /Content-Encoding/ })
    })
  })

  it.each([
    ['X-Chunk-Checksum', 'abc'],
    ['X-Chunk-Checksum', 'g'.repeat(64)],
    ['X-Chunk-Checksum', ''],
    ['Content-Digest', 'sha-256=abc'],
    ['Content-Digest', 'sha-256=:AAAA:'],
    ['Content-Digest', 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:'],
  ])('with %s: %j is refused with 400 INVALID_REQUEST', async (field, value) => {
    await changesNothing(async (id) => {
      const answer = await server.client.chunk(id, 0, someFile(4), { [field]: value })

      check(answer, { status: 400, code: 'INVALID_REQUEST', says: new RegExp(field), field })
    })
  })

  it('whose two declared checksums differ is refused with 400 INVALID_REQUEST', async () => {
    await changesNothing(async (id) => {
      const answer = await server.client.chunk(id, 0, someFile(4), {
        'X-Chunk-Checksum': 'a'.repeat(64),
        'Content-Digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:`,
      })

      check(answer, { status: 400, code: 'INVALID_REQUEST', says: /different checksums/ })
    })
  })

  it('is refused at once, before it has come, where its length is wrong already', async () => {
    await changesNothing(async (id) => {
      const open = server.client.openChunk(id, 0, 1_000_000)

      check(await open.answer, { status: 400, code: 'CHUNK_SIZE_MISMATCH', says: /\b4\b.*\b1000000\b/ })
      await open.cut()
    })
  })
})

describe('an initiate', () => {
  /** Sends an initiate that has to be refused, and expects that there is no new upload. */
  async function isRefused(body: unknown, expected: Expected, headers: Record<string, string> = {}): Promise<void> {
    const before = await server.inventory()

    check(await server.client.initiate(body, headers), expected)

    expect(await server.inventory()).toEqual(before)
  }

  const invalid = (field: string): Expected => ({
    status: 400,
    code: 'INVALID_REQUEST',
    says: new RegExp(field),
    field,
  })

  it.each([
    ['cut JSON', '{"fileName":"a","fileSize":'],
    ['no JSON', 'fileName=a&fileSize=1'],
    ['two values', '{} {}'],
    ['a comma too many', '{"fileName":"a","fileSize":1,}'],
    ['nothing', ''],
    ['null', 'null'],
    ['an array', '[{"fileName":"a","fileSize":1}]'],
    ['a text', '"a"'],
    ['a number', '5'],
  ])('with %s as its body is refused with 400 INVALID_REQUEST', async (_, body) => {
    await isRefused(body, { status: 400, code: 'INVALID_REQUEST', says: /JSON/ })
  })

  it('whose body is no UTF-8 is refused with 400 INVALID_REQUEST', async () => {
    const before = await server.inventory()
    const body = Buffer.from('{"fileName":"\xe9.mov","fileSize":1}', 'latin1')

    const answer = await server.client.call('POST', `${server.client.prefix}/initiate`, {
      headers: { 'Content-Type': 'application/json' },
      body,
    })

    check(answer, { status: 400, code: 'INVALID_REQUEST', says: /UTF-8/ })
    expect(await server.inventory()).toEqual(before)
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream'])(
    'of the type %s is refused with 415 UNSUPPORTED_MEDIA_TYPE',
    async (type) => {
      const expected = { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', says: /application\/json/ }
      await isRefused({ fileName: 'a', fileSize: 1 }, expected, { 'Content-Type': type })
    },
  )

  it('whose body is cut leaves nothing', async () => {
    const { client } = server
    const before = await server.inventory()
    const open = client.open('POST', `${client.prefix}/initiate`, {
      'Content-Type': 'application/json',
      'Content-Length': 1000,
    })
    await open.write(Buffer.from('{"fileName":"a","fileSize":1}'))

    await open.cut()

    await client.progress('00000000-0000-4000-8000-000000000000')
    expect(await server.inventory()).toEqual(before)
  })

  it.each([
    ['of known length', (body: string) => body],
    ['of unknown length', (body: string) => [Buffer.from(body.slice(0, 1000)), Buffer.from(body.slice(1000))]],
  ])('whose body %s is far too long is refused with 413 BODY_TOO_LARGE', async (_, framed) => {
    const { client } = server
    const before = await server.inventory()
    const body = framed(JSON.stringify({ fileName: 'a', fileSize: 1, metadata: { a: 'x'.repeat(2_000_000) } }))

    const answer = await client.call('POST', `${client.prefix}/initiate`, {
      headers: { 'Content-Type': 'application/json' },
      body,
    })

    check(answer, { status: 413, code: 'BODY_TOO_LARGE', says: /\d/ })
    expect(await server.inventory()).toEqual(before)
  })

  it.each([
    ['missing', '{"fileName":"a"}'],
    ['negative', '{"fileName":"a","fileSize":-1}'],
    ['fractional', '{"fileName":"a","fileSize":1.5}'],
    ['2^53', '{"fileName":"a","fileSize":9007199254740992}'],
    ['far above 2^53', '{"fileName":"a","fileSize":1e30}'],
    ['infinite', '{"fileName":"a","fileSize":1e400}'],
    ['a string', '{"fileName":"a","fileSize":"10"}'],
    ['true', '{"fileName":"a","fileSize":true}'],
    ['null', '{"fileName":"a","fileSize":null}'],
    ['an array', '{"fileName":"a","fileSize":[1]}'],
    ['an object', '{"fileName":"a","fileSize":{}}'],
  ])('whose fileSize is %s is refused with 400 INVALID_REQUEST', async (_, body) => {
    await isRefused(body, invalid('fileSize'))
  })

  it.each([
    ['missing', undefined],
    ['null', null],
    ['a number', 5],
    ['an array', ['a']],
    ['empty', ''],
    ['a path upwards', '../../etc/passwd'],
    ['an absolute path', '/etc/passwd'],
    ['a path of another system', '..\\..\\boot.ini'],
    ['one dot', '.'],
    ['two dots', '..'],
    ['with a NUL', 'a\0.mov'],
    ['with a line feed', 'a\r\nX-Evil: 1'],
    ['with DEL', 'a\u007f'],
    ['with a C1 control', 'a\u0085'],
    ['300 bytes', 'a'.repeat(300)],
    ['256 bytes of emoji', '🏖'.repeat(64)],
    ['half a letter', 'a\ud800'],
  ])('whose fileName is %s is refused with 400 INVALID_REQUEST', async (_, fileName) => {
    await isRefused({ fileName, fileSize: 1 }, invalid('fileName'))
  })

  it.each([
    ['a number', 5],
    ['null', null],
    ['no media type', 'movie'],
    ['a media type with a line feed', 'a/b\r\nX-Evil: 1'],
    ['too long', `a/${'b'.repeat(300)}`],
  ])('whose contentType is %s is refused with 400 INVALID_REQUEST', async (_, contentType) => {
    await isRefused({ fileName: 'a', fileSize: 1, contentType }, invalid('contentType'))
  })

  it.each([
    ['an array', []],
    ['a string', '{}'],
    ['null', null],
    ['a number', 0],
    ['8193 bytes', { a: 'x'.repeat(8193 - '{"a":""}'.length) }],
    ['8193 bytes of two-byte letters', { a: `x${'ä'.repeat(4092)}` }],
    ['nested and over 8 KiB', { a: Array.from({ length: 100 }, () => ({ b: { c: ['x'.repeat(100)] } })) }],
  ])('whose metadata is %s is refused with 400 INVALID_REQUEST', async (_, metadata) => {
    await isRefused({ fileName: 'a', fileSize: 1, metadata }, invalid('metadata'))
  })

  it('whose metadata is nested ten thousands deep is refused with 400 INVALID_REQUEST', async () => {
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`

    await isRefused(`{"fileName":"a","fileSize":1,"metadata":{"a":${deep}}}`, invalid('metadata'))
  })

  it.each([
    ['0', 0],
    ['negative', -1],
    ['fractional', 1.5],
    ['2^53', 2 ** 53],
    ['a string', '5'],
    ['true', true],
    ['null', null],
  ])('whose chunkSize is %s is refused with 400 INVALID_REQUEST', async (_, chunkSize) => {
    await isRefused({ fileName: 'a', fileSize: 1, chunkSize }, invalid('chunkSize'))
  })

  it.each([
    ['too short', 'abc'],
    ['no hex', 'g'.repeat(64)],
    ['a number', 5],
    ['null', null],
  ])('whose checksum is %s is refused with 400 INVALID_REQUEST', async (_, checksum) => {
    await isRefused({ fileName: 'a', fileSize: 1, checksum }, invalid('checksum'))
  })

  it.each([
    ['empty', ''],
    ['with a space', 'a b'],
    ['of 256 characters', 'a'.repeat(256)],
  ])('with an Idempotency-Key that is %s is refused with 400 INVALID_REQUEST', async (_, key) => {
    await isRefused({ fileName: 'a', fileSize: 1 }, invalid('Idempotency-Key'), { 'Idempotency-Key': key })
  })
})

describe('an upload that nobody has', () => {
  it('is refused a chunk with 404 UPLOAD_NOT_FOUND, without the body being waited for', async () => {
    const { client } = server
    const before = await server.inventory()
    const open = client.open('POST', client.target('00000000-0000-4000-8000-000000000000', 'chunks'), {
      ...chunkHeaders(0),
      'Content-Length': 5 * 1024 * 1024,
    })

    check(await open.answer, { status: 404, code: 'UPLOAD_NOT_FOUND', says: /no such upload/ })
    await open.cut()
    expect(await server.inventory()).toEqual(before)
  })
})
