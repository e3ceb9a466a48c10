import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { sharedVariables } from '../support/cluster.ts'
import { startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'

const TIMEOUT = { timeout: 60_000 }
const API = '/api/v1/uploads'
const TUS = { 'Tus-Resumable': '1.0.0' }
const PATCH = { ...TUS, 'Content-Type': 'application/offset+octet-stream' }
const OCTETS = { 'Content-Type': 'application/octet-stream' }
const SHA256 = '0'.repeat(64)

/** A server, and what it tells of itself. */
async function start(variables: Readonly<Record<string, string>> = {}) {
  const server = await startServerProcess(await tempDir(), variables)
  onTestFinished(async () => void (await server.kill()))
  const call = async (method: string, path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${server.url}${path}`, { method, ...init })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
  return { server, call, metrics: () => readMetrics(`${server.url}/metrics`) }
}

/** The values of all series by name and labels as they are written. */
async function readMetrics(url: string): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(url)
  expect(answer.headers.get('content-type')).toContain('text/plain')
  const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

type Server = Awaited<ReturnType<typeof start>>

/** Does something, and waits until every series named has grown, by what is said of it or at all. */
async function moves(
  { metrics }: Server,
  expected: Readonly<Record<string, number | 'more'>>,
  work: () => Promise<unknown>,
): Promise<void> {
  const before = await metrics()
  await work()
  await vi.waitFor(async () => {
    const after = await metrics()
    const grown = Object.keys(expected).map((name) => [name, (after.get(name) ?? 0) - (before.get(name) ?? 0)] as const)
    const told = grown.map(([name, by]) => [name, expected[name] === 'more' && by > 0 ? 'more' : by])
    expect(Object.fromEntries(told)).toEqual(expected)
  })
}

async function initiate({ call }: Server, input: object): Promise<string> {
  const headers = { 'Content-Type': 'application/json' }
  const { text } = await call('POST', `${API}/initiate`, { headers, body: JSON.stringify(input) })
  return /"id":"([^"]+)"/.exec(text)?.[1] ?? ''
}

const requests = (face: string, operation: string, outcome: string): string =>
  `holdfast_request_duration_seconds_count{face="${face}",operation="${operation}",outcome="${outcome}"}`

describe('the metrics', () => {
  it('move with every path an upload takes on one machine', TIMEOUT, async () => {
    const server = await start()
    const { call } = server
    const completed = {
      holdfast_uploads_created_total: 1,
      holdfast_uploads_completed_total: 1,
      'holdfast_completion_duration_seconds_count{outcome="ok"}': 1,
    }
    await moves(
      server,
      {
        ...completed,
        [requests('tus', 'create', '2xx')]: 1,
        [requests('tus', 'append', '2xx')]: 1,
        'holdfast_received_bytes_total{face="tus"}': 5,
        'holdfast_storage_call_duration_seconds_count{call="chunk.finish",outcome="ok"}': 1,
        'holdfast_state_call_duration_seconds_count{call="commit",outcome="ok"}': 'more',
        'holdfast_lock_wait_seconds_count{scope="append",outcome="ok"}': 'more',
      },
      async () => {
        const { headers } = await call('POST', '/files', { headers: { ...TUS, 'Upload-Length': '5' } })
        const location = headers.get('location') ?? ''
        await call('PATCH', location, { headers: { ...PATCH, 'Upload-Offset': '0' }, body: 'hello' })
      },
    )
    await moves(
      server,
      {
        ...completed,
        [requests('json', 'initiate', '2xx')]: 1,
        [requests('json', 'chunk', '2xx')]: 1,
        [requests('json', 'complete', '2xx')]: 1,
        'holdfast_received_bytes_total{face="json"}': 3,
      },
      async () => {
        const id = await initiate(server, { fileName: 'a', fileSize: 3 })
        await call('POST', `${API}/${id}/chunks`, { headers: { ...OCTETS, 'X-Chunk-Number': '0' }, body: 'abc' })
        await call('POST', `${API}/${id}/complete`)
      },
    )
    await moves(server, { holdfast_uploads_cancelled_total: 1, [requests('json', 'cancel', '2xx')]: 1 }, async () =>
      call('DELETE', `${API}/${await initiate(server, { fileName: 'a', fileSize: 3 })}`),
    )
    await moves(
      server,
      {
        'holdfast_uploads_failed_total{code="CHECKSUM_MISMATCH"}': 1,
        'holdfast_errors_total{face="json",code="CHECKSUM_MISMATCH"}': 1,
        [requests('json', 'complete', '4xx')]: 1,
      },
      async () => {
        const id = await initiate(server, { fileName: 'a', fileSize: 3, checksum: SHA256 })
        await call('POST', `${API}/${id}/chunks`, { headers: { ...OCTETS, 'X-Chunk-Number': '0' }, body: 'abc' })
        await call('POST', `${API}/${id}/complete`)
      },
    )
    expect((await server.metrics()).get('holdfast_sweeps_total{outcome="ok"}')).toBe(1)
  })

  it('tell of bodies while they come, and of requests that their clients left', TIMEOUT, async () => {
    const server = await start()
    const { headers } = await server.call('POST', '/files', { headers: { ...TUS, 'Upload-Length': '1000' } })
    const { hostname, port } = new URL(server.server.url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    const gone = requests('tus', 'append', 'gone')
    await moves(
      server,
      { [gone]: 1, 'holdfast_received_bytes_total{face="tus"}': 7, holdfast_bodies_active: 0 },
      async () => {
        socket.write(
          `PATCH ${headers.get('location')} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
            'Content-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\n\r\n1234567',
        )
        await vi.waitFor(async () => {
          const now = await server.metrics()
          expect(now.get('holdfast_bodies_active')).toBe(1)
          expect(now.get('holdfast_received_bytes_total{face="tus"}')).toBe(7)
          expect(now.get('holdfast_memory_reserved_bytes')).toBeGreaterThan(0)
        })
        socket.destroy()
      },
    )
    expect((await server.metrics()).get('holdfast_uploads_active')).toBe(1)
  })

  it('are on a port of their own where one is named', TIMEOUT, async () => {
    const server = await start({ METRICS_PORT: '0' })
    const url = await vi.waitUntil(() => /http:\/\/\S+\/metrics/.exec(server.server.output())?.[0])
    expect((await readMetrics(url)).get('holdfast_bodies_active')).toBe(0)
    expect((await server.call('GET', '/metrics')).status).toBe(404)
  })

  it('count an expiry', TIMEOUT, async () => {
    const server = await start({ EXPIRES_AFTER: '1s' })
    await moves(server, { holdfast_uploads_expired_total: 1 }, async () => {
      const id = await initiate(server, { fileName: 'a', fileSize: 3 })
      await vi.waitFor(async () => expect((await server.call('GET', `${API}/${id}`)).status).toBe(410), 10_000)
    })
  })
})

describeWithS3('the metrics, with S3', () => {
  describeWithRedis('and Redis', () => {
    it('tell of requests to S3 and commands to Redis', TIMEOUT, async () => {
      const server = await start(sharedVariables(redisService().url, await newBucket()))
      await moves(
        server,
        {
          'holdfast_s3_request_duration_seconds_count{command="CreateMultipartUpload",outcome="ok"}': 1,
          'holdfast_s3_request_duration_seconds_count{command="UploadPart",outcome="ok"}': 1,
          'holdfast_redis_command_duration_seconds_count{command="evalsha",outcome="ok"}': 'more',
        },
        async () => {
          const id = await initiate(server, { fileName: 'a', fileSize: 6 * 1024 * 1024 })
          const body = Buffer.alloc(5 * 1024 * 1024)
          const headers = { ...OCTETS, 'X-Chunk-Number': '0' }
          expect((await server.call('POST', `${API}/${id}/chunks`, { headers, body })).status).toBe(200)
          // Twice: a Redis that has not met a script before refuses its digest first.
          for (const _ of ['first', 'again']) await server.call('GET', `${API}/${id}`)
        },
      )
    })
  })
})
