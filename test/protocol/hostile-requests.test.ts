import { readdir, readFile, rm } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Call, callsOn, CREATIONS, type Ids, MOUNTS, nameOf } from '../support/access-calls.ts'
import { cases } from '../support/cases.ts'
import { hostileTexts } from '../support/hostile-texts.ts'
import { Wire } from '../support/http-wire.ts'
import { inTurns, sendRaw } from '../support/raw-request.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const TIMEOUT = { timeout: 600_000 }
const AT_A_TIME = 32
/** What the server may grow by, whatever it is sent, bytes: buffers and compiled code settle. */
const GROWTH = 96 * 1024 * 1024

const SHA = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
const B64 = Buffer.from(SHA, 'hex').toString('base64')
const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT'

/** Every header that is read, and values that are right for it. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  Accept: ['application/json', 'text/html;q=0.9, */*'],
  Authorization: ['Bearer a.b.c', `Bearer hfu1_${'a'.repeat(43)}`],
  'Content-Digest': [`sha-256=:${B64}:`],
  'Content-Encoding': ['identity', 'gzip'],
  'Content-Length': ['0', '5', '6'],
  'Content-Type': ['application/json', 'application/octet-stream', 'application/offset+octet-stream'],
  Expect: ['100-continue'],
  'Idempotency-Key': ['a-key'],
  'If-Match': ['*', '"x"'],
  'If-Modified-Since': [DATE],
  'If-None-Match': ['*', 'W/"x"'],
  'If-Range': ['"x"', DATE],
  'If-Unmodified-Since': [DATE],
  Origin: ['https://app.example', 'null'],
  'Access-Control-Request-Method': ['PATCH'],
  Prefer: ['wait=0', 'respond-async, wait="1"'],
  Range: ['bytes=0-1', 'bytes=-1', 'bytes=9-'],
  Trailer: ['Content-Digest', 'Upload-Checksum'],
  'Transfer-Encoding': ['chunked'],
  'Tus-Resumable': ['1.0.0', '0.2.2'],
  'Upload-Checksum': [`sha256 ${B64}`, 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00='],
  'Upload-Concat': ['partial', 'final;/files/a /files/b'],
  'Upload-Defer-Length': ['1'],
  'Upload-Length': ['0', '5', '9007199254740991'],
  'Upload-Metadata': ['filename aGVsbG8=,filetype dGV4dC9wbGFpbg==,x'],
  'Upload-Offset': ['0', '5'],
  'X-API-Key': ['key'],
  'X-Chunk-Checksum': [SHA],
  'X-Chunk-Number': ['0', '1'],
  'X-Forwarded-For': ['1.2.3.4, 5.6.7.8'],
  'X-Forwarded-Host': ['host.example'],
  'X-Forwarded-Proto': ['https', 'https,http'],
  // Without DELETE: the others would find nothing any more.
  'X-HTTP-Method-Override': ['PATCH', 'HEAD', 'OPTIONS', 'GET'],
  'X-Request-ID': ['an-id'],
}

/** With one of these a request may never be whole: then it is not answered. */
const FRAMING = ['Content-Length', 'Expect', 'Trailer', 'Transfer-Encoding']
/** For how long a whole request may go without an answer, ms. */
const PATIENCE_MS = 15_000

const INITIATE = { fileName: 'a', fileSize: 5, contentType: 'a/b', metadata: { a: 1 }, chunkSize: 5, checksum: SHA }

/** A JSON body that is one, nearly one, or none. */
const BODIES = fc.oneof(
  fc.json(),
  fc
    .dictionary(fc.constantFrom(...Object.keys(INITIATE), '__proto__'), fc.jsonValue({ maxDepth: 3 }))
    .map((others) => JSON.stringify({ ...INITIATE, ...others })),
  hostileTexts(JSON.stringify(INITIATE), '{}', '[1]', '"\\ud800"', '{"a":1,"a":2}'),
  fc.constantFrom('['.repeat(20_000), `{"metadata":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`, ' '.repeat(70_000)),
)

describe('the server', () => {
  let directory = ''
  let server: ServerProcess
  let wire: Wire
  let port = 0
  const made: string[] = []

  beforeAll(async () => {
    directory = await makeTempDir()
    server = await startServerProcess(directory, { TRUST_PROXY: 'on', IDLE_TIMEOUT: '500ms', CHUNK_SIZE: '1KiB' })
    wire = new Wire(server.url)
    port = Number(new URL(server.url).port)
  })

  afterAll(async () => {
    wire.close()
    await server.kill()
    await rm(directory, { recursive: true, force: true })
  })

  /** An upload whose bytes are there, and its file where it is complete. */
  async function target(finished: boolean): Promise<Ids> {
    const body = Buffer.from('{"fileName":"a","fileSize":5}')
    const headers = { 'Content-Type': 'application/json' }
    const answer = await wire.send('POST', `${MOUNTS.api}/initiate`, { headers, body })
    const { data } = JSON.parse(answer.body.toString()) as { readonly data: Ids }
    for (const call of callsOn(data).slice(2, finished ? 4 : 2)) {
      const sent = call.body === undefined ? {} : { body: Buffer.from(call.body) }
      expect((await wire.send(call.method, call.path, { headers: call.headers, ...sent })).status).toBe(200)
    }
    made.push(data.id)
    return data
  }

  const names = async (): Promise<readonly string[]> => (await readdir(directory, { recursive: true })).toSorted()

  async function memory(): Promise<number> {
    const [, pages] = (await readFile(`/proc/${server.pid}/statm`, 'utf8')).split(' ')
    return Number(pages) * 4096
  }

  /** Sends a call with one header spoilt, or its body; says what is wrong with the answer, or null. */
  async function trouble(call: Call, headers: Readonly<Record<string, string>>, body: string | undefined) {
    const framing = headers['Content-Length'] ?? headers['Transfer-Encoding']
    const bytes = body === undefined ? '' : body
    const head = [
      `${call.method} ${call.path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'Connection: close',
      ...Object.entries({ ...call.headers, ...headers }).map(([name, value]) => `${name}: ${value}`),
      ...(framing === undefined && body !== undefined ? [`Content-Length: ${Buffer.byteLength(bytes)}`] : []),
    ]
    const written = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(bytes)])
    const isWhole = !FRAMING.some((name) => name in headers)
    const answer = await sendRaw(port, written, isWhole ? PATIENCE_MS : undefined)
    for (const [, id = ''] of answer.matchAll(/(?:"id":"|Location: \S*\/files\/)([0-9a-f-]{36})/gi)) made.push(id)
    const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
    // 501 is Node's own, to an encoding it does not know. A request that is never whole is not answered.
    const failed = statuses.find((status) => status >= 500 && status !== 501)
    return failed === undefined
      ? null
      : `${nameOf(call)} ${JSON.stringify(headers).slice(0, 300)} ${bytes.slice(0, 300)}: ${failed}`
  }

  it(
    'answers no header and no body with a failure of its own, keeps nothing of them, and does not grow',
    TIMEOUT,
    async () => {
      const [begun, done] = [await target(false), await target(true)]
      const calls = [
        ...callsOn(begun),
        ...callsOn(done),
        ...CREATIONS,
        { method: 'GET', path: '/documentation', headers: {} },
      ]
      const oneHeader = fc
        .constantFrom(...Object.entries(HEADERS))
        .chain(([name, right]) => fc.tuple(fc.constant(name), hostileTexts(...right)))
      const headers = fc.tuple(fc.constantFrom(...calls), fc.array(oneHeader, { minLength: 1, maxLength: 3 }))
      const bodies = fc.tuple(fc.constantFrom(...calls.filter(({ method }) => method === 'POST')), BODIES)
      const withHeaders = fc.sample(headers, cases(1000)).map(([call, all]) => ({
        call,
        headers: Object.fromEntries(all.map(([name, value]) => [name, value.replaceAll(/[\r\n]/g, ' ')])),
        body: call.body,
      }))
      const json = { 'Content-Type': 'application/json' }
      const withBodies = fc.sample(bodies, cases(500)).map(([call, body]) => ({ call, headers: json, body }))
      const requests = [...withHeaders, ...withBodies].filter(({ call }) => call.method !== 'DELETE')
      const troubles: string[] = []
      const halves = [requests.slice(0, requests.length / 2), requests.slice(requests.length / 2)]
      const grown: number[] = []
      for (const half of halves) {
        await inTurns(half, AT_A_TIME, async (one) => {
          const found = await trouble(one.call, one.headers, one.body)
          if (found !== null) troubles.push(found)
        })
        grown.push(await memory())
      }
      console.log(
        `${requests.length} requests with hostile headers and bodies; the server has ${grown.map((bytes) => `${Math.round(bytes / 1024 / 1024)} MiB`).join(', then ')}`,
      )
      expect(troubles).toEqual([])
      const errors = server
        .output()
        .split('\n')
        .filter((line) => /"level":(?:50|60)/.test(line))
      expect(errors).toEqual([])
      expect((grown[1] ?? Infinity) - (grown[0] ?? 0)).toBeLessThan(GROWTH)
      // What is left is what was asked for, and its makers can take it away: no bytes lie about that belong to nothing.
      for (const id of new Set(made)) {
        const { status } = await wire.send('DELETE', `${MOUNTS.tus}/${id}`, { headers: { 'Tus-Resumable': '1.0.0' } })
        expect([204, 404, 410]).toContain(status)
      }
      const left = (await names()).filter((name) => !/^claims\/|^(?:uploads|files|claims|owner\.json)$/.test(name))
      expect(left.filter((name) => !/^uploads\/[0-9a-f-]{36}(?:\/(?:manifest\.json|journal))?$/.test(name))).toEqual([])
    },
  )
})
