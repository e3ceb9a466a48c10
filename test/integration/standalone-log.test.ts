import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ConnectionLost, Wire } from '../support/http-wire.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { createdId, initiated, JsonDriver, TusDriver } from '../support/upload-drivers.ts'

const TIMEOUT = { timeout: 40_000 }
const API = '/api/v1/uploads'

interface Started {
  readonly server: ServerProcess
  readonly wire: Wire
  readonly directory: string
}

async function start(variables: Readonly<Record<string, string>> = {}): Promise<Started> {
  const directory = await tempDir()
  const server = await startServerProcess(directory, variables)
  const wire = new Wire(server.url)
  onTestFinished(async () => {
    wire.close()
    await server.kill()
  })
  return { server, wire, directory }
}

/** What the log says, one object a line. */
function entriesOf(server: ServerProcess): readonly Readonly<Record<string, unknown>>[] {
  return server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** The line about the request with this id. */
function entryOf(server: ServerProcess, reqId: string): Promise<Readonly<Record<string, unknown>>> {
  return vi.waitUntil(() => entriesOf(server).find((entry) => entry['reqId'] === reqId && 'method' in entry))
}

describe('the log', () => {
  it('has one line for a request: id, method, path without the query, status, duration, bytes', TIMEOUT, async () => {
    const { server, wire } = await start()
    const json = new JsonDriver(wire)
    const { id } = initiated(await json.initiate(300_000, 'a.bin', 100_000))
    const chunk = { headers: { 'X-Chunk-Number': '1', 'Content-Type': 'application/octet-stream' } }
    const body = Buffer.alloc(100_000, 1)
    const path = `${API}/${id}/chunks`
    // Twice on one connection: each has its own bytes.
    for (const reqId of ['first', 'second']) {
      const headers = { ...chunk.headers, 'X-Request-ID': reqId }
      expect((await wire.send('POST', `${path}?token=secret`, { headers, body })).status).toBe(200)
    }
    for (const reqId of ['first', 'second']) {
      const entry = await entryOf(server, reqId)
      expect(entry).toMatchObject({ level: 30, msg: 'request', reqId, method: 'POST', url: path, status: 200 })
      expect(entry['ip']).toBe('127.0.0.1')
      expect(entry['durationMs']).toBeGreaterThanOrEqual(0)
      expect(entry['bytesReceived']).toBeGreaterThan(100_000)
      expect(entry['bytesReceived']).toBeLessThan(101_000)
      expect(entry).not.toHaveProperty('code')
    }
    expect(server.output()).not.toContain('secret')
  })

  it('says who sent a request, and which upload or file it is about', TIMEOUT, async () => {
    const { server, wire } = await start({ AUTH: 'api-key', API_KEYS: 'ann:0123456789abcdef' })
    const ann = { 'X-API-Key': '0123456789abcdef' }
    const ask = (reqId: string, method: string, path: string, headers: Readonly<Record<string, string>> = {}) =>
      wire.send(method, path, { headers: { ...ann, 'X-Request-ID': reqId, ...headers } })
    const tus = { 'Tus-Resumable': '1.0.0' }
    const upload = createdId(await ask('created', 'POST', '/files', { ...tus, 'Upload-Length': '5' }))
    await ask('asked', 'HEAD', `/files/${upload}`, tus)
    await ask('progress', 'GET', `${API}/${upload}`)
    for (const reqId of ['created', 'asked', 'progress']) {
      expect(await entryOf(server, reqId), reqId).toMatchObject({ principal: 'ann', upload })
    }
    await ask('file', 'GET', `/api/v1/files/${upload}`)
    expect(await entryOf(server, 'file')).toMatchObject({ principal: 'ann', file: upload, code: 'FILE_NOT_FOUND' })
    await wire.send('GET', `${API}/${upload}`, { headers: { 'X-Request-ID': 'nobody' } })
    expect(await entryOf(server, 'nobody')).not.toHaveProperty('principal')
  })

  it('has the code of an error, on both faces and beside them', TIMEOUT, async () => {
    const { server, wire } = await start()
    const unknown = '00000000-0000-4000-8000-000000000000'
    const tus = createdId(await new TusDriver(wire).create(10, 'a.bin'))
    const asked: readonly (readonly [string, string, string, Readonly<Record<string, string>>])[] = [
      ['GET', `${API}/${unknown}/progress`, 'UPLOAD_NOT_FOUND', {}],
      ['POST', `${API}/${tus}/complete`, 'CHUNKS_MISSING', {}],
      ['HEAD', `/files/${unknown}`, 'UPLOAD_NOT_FOUND', { 'Tus-Resumable': '1.0.0' }],
      ['PUT', '/files', 'METHOD_NOT_ALLOWED', {}],
      ['GET', '/nothing', 'NOT_FOUND', {}],
      ['GET', `${API}/%ff`, 'UPLOAD_NOT_FOUND', {}],
    ]
    for (const [n, [method, path, , headers]] of asked.entries()) {
      await wire.send(method, path, { headers: { ...headers, 'X-Request-ID': `asked-${n}` } })
    }
    for (const [n, [method, , code]] of asked.entries()) {
      expect(await entryOf(server, `asked-${n}`)).toMatchObject({ method, code })
    }
  })

  it('tells of clients that went away, and what they had sent', TIMEOUT, async () => {
    const { server, wire } = await start()
    const id = createdId(await new TusDriver(wire).create(1_000_000, 'a.bin'))
    const going = new Wire(server.url)
    let sent = 0
    const patch = going.send('PATCH', `/files/${id}`, {
      headers: {
        'Tus-Resumable': '1.0.0',
        'Upload-Offset': '0',
        'Content-Type': 'application/offset+octet-stream',
        'X-Request-ID': 'gone',
      },
      body: Buffer.alloc(1_000_000, 1),
      pieceBytes: () => 10_000,
      pauseMs: () => 5,
      onSent: (bytes) => {
        sent += bytes
        if (sent === 100_000) going.close()
      },
    })
    await expect(patch).rejects.toBeInstanceOf(ConnectionLost)
    const entry = await entryOf(server, 'gone')
    expect(entry).toMatchObject({ msg: 'the client has gone', method: 'PATCH', url: `/files/${id}` })
    expect(entry['bytesReceived']).toBeGreaterThan(50_000)
    expect(entry['bytesReceived']).toBeLessThan(200_000)
  })

  it('is for people where they want it', TIMEOUT, async () => {
    const { server, wire } = await start({ LOG_FORMAT: 'pretty' })
    await wire.send('GET', '/nothing', { headers: { 'X-Request-ID': 'asked' } })
    const line =
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}GET \/nothing 404 \d+ ms reqId=asked ip=127\.0\.0\.1 bytesReceived=\d+ code=NOT_FOUND$/m
    await vi.waitUntil(() => line.test(server.output()))
  })

  it('keeps to its level, and says nothing of probes', TIMEOUT, async () => {
    const { server, wire } = await start()
    expect((await wire.send('GET', '/readyz')).status).toBe(200)
    await wire.send('GET', '/nothing', { headers: { 'X-Request-ID': 'asked' } })
    await entryOf(server, 'asked')
    expect(server.output()).not.toContain('readyz')
    const silent = await start({ LOG_LEVEL: 'debug' })
    expect((await silent.wire.send('GET', '/readyz', { headers: { 'X-Request-ID': 'probe' } })).status).toBe(200)
    expect(await entryOf(silent.server, 'probe')).toMatchObject({ level: 20, url: '/readyz' })
  })

  it('warns once where anybody may upload, by explicit choice', TIMEOUT, async () => {
    const warnings = ({ server }: Started): readonly unknown[] => entriesOf(server).filter(({ level }) => level === 40)
    const open = await start({ HOST: '0.0.0.0', AUTH: 'none' })
    await vi.waitUntil(() => warnings(open).length > 0)
    expect(warnings(open)).toMatchObject([{ msg: expect.stringMatching(/^AUTH is none and HOST is 0\.0\.0\.0/) }])
    const closed = await start({ AUTH: 'none' })
    await closed.wire.send('GET', '/nothing', { headers: { 'X-Request-ID': 'asked' } })
    await entryOf(closed.server, 'asked')
    expect(warnings(closed)).toEqual([])
  })
})

describe('/readyz', () => {
  it('says when storage does not answer, which is logged', TIMEOUT, async () => {
    const { server, wire, directory } = await start()
    expect((await wire.send('GET', '/readyz')).status).toBe(200)
    await rm(join(directory, 'files'), { recursive: true })
    const { status, headers, body } = await wire.send('GET', '/readyz')
    expect({ status, retryAfter: headers['retry-after'] }).toEqual({ status: 503, retryAfter: '1' })
    expect(body.toString()).toBe('{"status":"storage unavailable"}')
    await vi.waitUntil(() => server.output().includes('storage does not answer'))
    expect((await wire.send('GET', '/healthz')).status).toBe(200)
  })
})

describe('TRUST_PROXY', () => {
  const FORWARDED = {
    'X-Forwarded-For': '198.51.100.7',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'up.example',
  } as const

  /** What both faces answer for addresses behind a proxy, and whom the log names. */
  async function behindProxy(variables: Readonly<Record<string, string>>) {
    const { server, wire } = await start(variables)
    const body = Buffer.from('{"fileName":"a","fileSize":1}')
    const headers = { ...FORWARDED, 'Content-Type': 'application/json', 'X-Request-ID': 'asked' }
    const json = await wire.send('POST', `${API}/initiate`, { headers, body })
    const { data } = JSON.parse(json.body.toString()) as { readonly data: { id: string; tusUrl: string } }
    const tus = await wire.send('POST', '/files', {
      headers: { ...FORWARDED, 'Tus-Resumable': '1.0.0', 'Upload-Length': '1' },
    })
    const base = (address = ''): string => address.replace(/\/(?:files|api\/v1\/uploads)\/[0-9a-f-]{36}$/, '')
    return {
      bases: [base(json.headers.location), base(data.tusUrl), base(tus.headers.location)],
      ip: (await entryOf(server, 'asked'))['ip'],
    }
  }

  it.each([
    [{}, '', '127.0.0.1'],
    [{ TRUST_PROXY: '10.0.0.0/8' }, '', '127.0.0.1'],
    [{ TRUST_PROXY: 'loopback' }, 'https://up.example', '198.51.100.7'],
    [{ TRUST_PROXY: 'on' }, 'https://up.example', '198.51.100.7'],
    [{ TRUST_PROXY: 'on', PUBLIC_URL: 'https://set.example/x' }, 'https://set.example/x', '198.51.100.7'],
  ])('with %j addresses begin with %j, and the client is %s', TIMEOUT, async (variables, base, ip) => {
    expect(await behindProxy(variables)).toEqual({ bases: [base, base, base], ip })
  })
})
