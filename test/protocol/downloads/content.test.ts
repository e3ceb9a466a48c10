import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { type FinishedFile, useDownloadServer } from './download-server.ts'

const server = useDownloadServer()
const bytes = randomBytes(300_000)
let finished: FinishedFile

beforeAll(async () => {
  finished = await server.finish(bytes, { fileName: 'päge "1".html', contentType: 'text/html' })
})

describe.each(['content', 'tus'] as const)('GET of a finished file at its address on %s', (where) => {
  const get = (headers: Readonly<Record<string, string>> = {}) => server.request('GET', finished[where], headers)

  it('sends the file, as a download that no browser renders', async () => {
    const answer = await get()
    expect(answer.status).toBe(200)
    expect(answer.body.equals(bytes)).toBe(true)
    expect(answer.headers).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache, no-transform',
      'content-disposition': `attachment; filename="p_ge \\"1\\".html"; filename*=UTF-8''p%C3%A4ge%20%221%22.html`,
      'content-length': String(bytes.length),
      'content-security-policy': "default-src 'none'; sandbox",
      'content-type': 'text/html',
      'x-content-type-options': 'nosniff',
    })
    expect(Date.parse(answer.headers['last-modified'] ?? '')).toBeLessThanOrEqual(Date.now())
  })

  it('says the SHA-256 of the whole file, also beside a part of it', async () => {
    const digest = `sha-256=:${Buffer.from(finished.file.checksum ?? '', 'hex').toString('base64')}:`
    expect((await get()).headers['repr-digest']).toBe(digest)
    expect((await get({ Range: 'bytes=0-0' })).headers['repr-digest']).toBe(digest)
  })

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=1000-299998', 1000, 299_999],
    ['bytes=131071-131072', 131_071, 131_073],
    ['bytes=299999-', 299_999, 300_000],
    ['bytes=0-', 0, 300_000],
    ['bytes=-7', 299_993, 300_000],
    ['bytes=-300001', 0, 300_000],
    ['bytes=7-99999999999999999999', 7, 300_000],
  ])('sends %s as 206 with exactly these bytes', async (range, start, end) => {
    const answer = await get({ Range: range })
    expect(answer.status).toBe(206)
    expect(answer.headers['content-range']).toBe(`bytes ${start}-${end - 1}/300000`)
    expect(answer.headers['content-length']).toBe(String(end - start))
    expect(answer.body.equals(bytes.subarray(start, end))).toBe(true)
  })

  it.each(['bytes=0-1,5-6', 'bytes=5-4', 'lines=1-2', 'bytes=x', 'bytes='])(
    'sends the whole file for the range %s',
    async (range) => {
      const answer = await get({ Range: range })
      expect(answer.status).toBe(200)
      expect(answer.headers).not.toHaveProperty('content-range')
      expect(answer.body.equals(bytes)).toBe(true)
    },
  )

  it.each(['bytes=300000-', 'bytes=400000-500000', 'bytes=-0'])(
    'answers 416 with the size for the range %s, as curl -C - sends for what it has whole',
    async (range) => {
      const answer = await get({ Range: range })
      expect(answer.status).toBe(416)
      expect(answer.headers['content-range']).toBe('bytes */300000')
      expect(answer.headers).not.toHaveProperty('content-disposition')
    },
  )

  it('answers 304 without a body to who has the file', async () => {
    const { etag, 'last-modified': date } = (await get()).headers
    for (const headers of [
      { 'If-None-Match': etag ?? '' },
      { 'If-None-Match': `"other", W/${etag}` },
      { 'If-Modified-Since': date ?? '' },
      { 'If-None-Match': etag ?? '', Range: 'bytes=0-1' },
    ]) {
      const answer = await get(headers)
      expect(answer.status).toBe(304)
      expect(answer.body).toHaveLength(0)
      expect(answer.headers).toMatchObject({ etag, 'cache-control': 'private, no-cache, no-transform' })
    }
    expect((await get({ 'If-None-Match': '"other"' })).status).toBe(200)
    expect((await get({ 'If-Modified-Since': new Date(0).toUTCString() })).status).toBe(200)
  })

  it('goes on with a download of this very file only', async () => {
    const { etag = '', 'last-modified': date = '' } = (await get()).headers
    for (const known of [etag, date]) expect((await get({ Range: 'bytes=9-', 'If-Range': known })).status).toBe(206)
    for (const other of ['"other"', `W/${etag}`, new Date(0).toUTCString()]) {
      const answer = await get({ Range: 'bytes=9-', 'If-Range': other })
      expect(answer.status).toBe(200)
      expect(answer.body.equals(bytes)).toBe(true)
    }
  })

  it('answers 412 where another file was meant', async () => {
    const { etag = '' } = (await get()).headers
    expect((await get({ 'If-Match': etag })).status).toBe(200)
    expect((await get({ 'If-Match': '"other"' })).status).toBe(412)
    expect((await get({ 'If-Unmodified-Since': new Date(0).toUTCString() })).status).toBe(412)
  })

  it('sends an empty file, also to clients that ask for every file from its first byte', async () => {
    const empty = await server.finish(Buffer.alloc(0))
    for (const headers of [{}, { Range: 'bytes=0-' }]) {
      const answer = await server.request('GET', empty[where], headers)
      expect(answer).toMatchObject({ status: 200, headers: { 'content-length': '0' } })
    }
    expect((await server.request('GET', empty[where], { Range: 'bytes=1-' })).status).toBe(416)
  })

  it.each(['text/html', 'image/svg+xml', 'application/xhtml+xml', 'text/html; charset=utf-8'])(
    'never lets %s run as its origin',
    async (contentType) => {
      const page = await server.finish(Buffer.from('<script>alert(1)</script>'), { fileName: 'a', contentType })
      const { headers } = await server.request('GET', page[where])
      expect(headers['content-disposition']).toMatch(/^attachment;/)
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['content-security-policy']).toContain('sandbox')
    },
  )

  it('lets pages of other origins ask for ranges, and read what they got', async () => {
    const preflight = await server.request('OPTIONS', finished[where], {
      Origin: 'https://app.example',
      'Access-Control-Request-Method': 'GET',
      'Access-Control-Request-Headers': 'range, if-range',
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers['access-control-allow-headers']).toMatch(/\bIf-Range\b.*\bRange\b/)
    const { headers } = await get({ Origin: 'https://app.example' })
    for (const name of ['Content-Range', 'ETag', 'Content-Disposition']) {
      expect(headers['access-control-expose-headers']).toContain(name)
    }
  })
})

describe('the validators', () => {
  it('are the same after the server was killed and started anew', async () => {
    const before = (await server.request('HEAD', finished.content)).headers
    await server.restart()
    const after = (await server.request('HEAD', finished.content)).headers
    expect(after).toMatchObject({ etag: before.etag, 'last-modified': before['last-modified'] })
  })

  it('differ between two files of the same bytes', async () => {
    const other = await server.finish(bytes)
    const tags = [finished, other].map(async ({ content }) => (await server.request('HEAD', content)).headers.etag)
    const [one, two] = await Promise.all(tags)
    expect(one).not.toBe(two)
  })
})

describe('HEAD', () => {
  it('beside the JSON API says all that a GET says, and sends nothing', async () => {
    const volatile = ['date', 'x-request-id', 'connection', 'keep-alive']
    const pick = (headers: object) => Object.entries(headers).filter(([name]) => !volatile.includes(name))
    const get = await server.request('GET', finished.content)
    const head = await server.request('HEAD', finished.content)
    expect(head.status).toBe(200)
    expect(head.body).toHaveLength(0)
    expect(pick(head.headers)).toEqual(pick(get.headers))
  })

  it('knows no ranges, and knows conditions', async () => {
    const head = await server.request('HEAD', finished.content, { Range: 'bytes=0-9' })
    expect(head).toMatchObject({ status: 200, headers: { 'content-length': '300000' } })
    const known = await server.request('HEAD', finished.content, { 'If-None-Match': head.headers.etag ?? '' })
    expect(known.status).toBe(304)
  })

  it('of the upload stays that of tus', async () => {
    const head = await server.request('HEAD', finished.tus, { 'Tus-Resumable': '1.0.0', Range: 'bytes=0-9' })
    expect(head.status).toBe(200)
    expect(head.headers).toMatchObject({ 'upload-offset': '300000', 'cache-control': 'no-store' })
    expect(head.headers).not.toHaveProperty('etag')
  })
})
