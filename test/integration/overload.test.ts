import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chunkHeaders, failureOf, JsonClient, someFile } from '../support/json-client.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { OFFSET_OCTET_STREAM, TusClient } from '../support/tus-client.ts'

const KIB = 1024
const CHUNK = 256 * KIB
/** Of the bodies that come at once; the rest are PATCHes. */
const CHUNKS = 1_140

async function aServer(variables: Record<string, string>): Promise<ServerProcess> {
  const server = await startServerProcess(await tempDir(), variables)
  onTestFinished(() => void server.kill())
  return server
}

function aClient({ url }: ServerProcess): JsonClient {
  const client = new JsonClient(url)
  onTestFinished(() => client.close())
  return client
}

/** A request on a connection of its own: its head and the first of its body are out, the rest is to come. */
class Begun {
  readonly #socket: Socket
  readonly #rest: Buffer
  #text = ''
  readonly ended: Promise<unknown>

  private constructor(socket: Socket, rest: Buffer) {
    this.#socket = socket
    this.#rest = rest
    socket.on('data', (data) => (this.#text += String(data)))
    socket.on('error', () => {})
    this.ended = once(socket, 'close')
  }

  static async send({ url }: ServerProcess, lines: readonly string[], body: Buffer): Promise<Begun> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    const head = [
      lines[0],
      `Host: ${hostname}`,
      'Connection: close',
      ...lines.slice(1),
      `Content-Length: ${body.length}`,
    ]
    const begun = new Begun(socket, body.subarray(KIB))
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    socket.write(body.subarray(0, KIB))
    return begun
  }

  /** The status that has come, or null. */
  get status(): number | null {
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(this.#text) ?? []
    return status === undefined ? null : Number(status)
  }

  get retryAfter(): string | undefined {
    return /^Retry-After: (.*)\r$/im.exec(this.#text)?.[1]
  }

  async finish(): Promise<number | null> {
    this.#socket.write(this.#rest)
    await this.ended
    return this.status
  }

  cut(): void {
    this.#socket.destroy()
  }
}

/** The most memory the process has had, MiB. */
async function peakMemory({ pid }: ServerProcess): Promise<number> {
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** Does work on each of a list, so many at a time. */
async function batched<T, R>(list: readonly T[], atATime: number, work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let i = 0; i < list.length; i += atATime)
    results.push(...(await Promise.all(list.slice(i, i + atATime).map(work))))
  return results
}

describe('a server with more at its door than it can hold', () => {
  it('of 1,200 bodies at once takes in turn what it can, tells the rest to come again, and goes on', async () => {
    const server = await aServer({ MEMORY_BUDGET: '8MiB', MIN_BYTES_PER_SECOND: '0', CHUNK_SIZE: String(CHUNK) })
    const client = aClient(server)
    const tus = new TusClient(server.url)
    const block = someFile(CHUNK)
    const { id } = await client.begin({ fileSize: CHUNKS * CHUNK })
    const paths = await batched(Array.from({ length: 60 }), 20, () => tus.create(CHUNK))
    const requests = [
      ...paths.map((path) => [
        `PATCH ${path} HTTP/1.1`,
        'Tus-Resumable: 1.0.0',
        'Upload-Offset: 0',
        `Content-Type: ${OFFSET_OCTET_STREAM}`,
      ]),
      ...Array.from({ length: CHUNKS }, (_, number) => [
        `POST /api/v1/uploads/${id}/chunks HTTP/1.1`,
        ...Object.entries(chunkHeaders(number)).map(([name, value]) => `${name}: ${String(value)}`),
      ]),
    ]
    // Both kinds among those that come too late.
    const mixed = [...requests.slice(30), ...requests.slice(0, 30)]
    const begun = await batched(mixed, 100, (lines) => Begun.send(server, lines, block))
    const answered = () => begun.filter(({ status }) => status !== null)

    // 32 have a place, 1,000 may wait for one.
    await expect.poll(() => answered().length, { timeout: 60_000 }).toBe(1_200 - 32 - 1_000)
    const shed = answered()
    expect(new Set(shed.map(({ status }) => status))).toEqual(new Set([423]))
    for (const { retryAfter } of shed) expect(retryAfter).toBe('1')
    for (const one of shed) one.cut()
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)

    const waiting = begun.filter((one) => !shed.includes(one))
    const statuses = await Promise.all(waiting.map((one) => one.finish()))
    expect(new Set(statuses)).toEqual(new Set([200, 204]))

    const { missingChunks, chunksUploaded } = await client.progressed(id)
    const missing = missingChunks.flatMap(([first, last]) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i),
    )
    expect(chunksUploaded + missing.length).toBe(CHUNKS)
    await batched(missing.slice(0, 40), 20, (number) => client.sent(id, number, block))
    const file = someFile(3 * CHUNK)
    const fresh = await client.filled(file)
    expect(await client.completed(fresh.id)).toMatchObject({ size: file.length })
    const peak = await peakMemory(server)
    console.log(`${shed.length} of 1,200 bodies were told to come again; peak memory ${peak.toFixed()} MiB`)
    expect(peak).toBeLessThan(400)
  }, 180_000)

  it('ends trickles while others wait for their places, keeps what they brought, and serves the others', async () => {
    const server = await aServer({ MEMORY_BUDGET: '1MiB', IDLE_TIMEOUT: '3s', CHUNK_SIZE: String(CHUNK) })
    const client = aClient(server)
    const tus = new TusClient(server.url)
    const block = someFile(CHUNK)
    const { id } = await client.begin({ fileSize: 4 * CHUNK })
    const paths = await Promise.all([tus.create(CHUNK), tus.create(CHUNK)])
    const patches = paths.map((path) =>
      tus.open('PATCH', path, {
        'Upload-Offset': 0,
        'Content-Type': OFFSET_OCTET_STREAM,
        'Content-Length': CHUNK,
      }),
    )
    const chunks = [0, 1].map((number) => client.openChunk(id, number, CHUNK))
    let at = 0
    const drip = setInterval(() => {
      for (const one of [...patches, ...chunks]) void one.write(block.subarray(at, at + 10)).catch(() => {})
      at += 10
    }, 100)
    onTestFinished(() => clearInterval(drip))
    // They have all four places when bytes of theirs are on the disk, or are alone: nobody ends them then.
    await expect.poll(() => at, { timeout: 30_000 }).toBeGreaterThan(300)
    // One more than there are places: somebody waits until the last of the trickles is gone.
    const other = await client.begin({ fileSize: 5 * CHUNK })
    const others = Array.from({ length: 5 }, (_, number) => client.openChunk(other.id, number, CHUNK))
    for (const { answer } of patches) {
      const { status, headers } = await answer
      expect({ status, retry: headers['retry-after'] }).toEqual({ status: 423, retry: '1' })
    }
    for (const { answer } of chunks) failureOf(await answer, 408, 'TIMEOUT')
    clearInterval(drip)
    for (const one of others) void one.write(block)
    for (const { answer } of others) expect((await answer).status).toBe(200)
    for (const path of paths) {
      const offset = Number((await tus.request('HEAD', path)).headers['upload-offset'])
      expect(offset).toBeGreaterThan(100)
      const rest = await tus.request('PATCH', path, {
        headers: { 'Upload-Offset': offset, 'Content-Type': OFFSET_OCTET_STREAM },
        body: block.subarray(offset),
      })
      expect(rest.status).toBe(204)
    }
  }, 120_000)
})

describe('many headers', () => {
  it('are all read, as long as they are not too large together', async () => {
    const server = await aServer({})
    const client = aClient(server)
    const { id } = await client.begin({ fileSize: 4 })
    const lines = [
      `POST /api/v1/uploads/${id}/chunks HTTP/1.1`,
      ...Array.from({ length: 2_500 }, () => 'a:'),
      'Content-Type: application/octet-stream',
      'X-Chunk-Number: 0',
    ]
    const begun = await Begun.send(server, lines, Buffer.from('four'))
    await begun.ended
    expect(begun.status).toBe(200)
  })

  it('are refused as too large in the form of the API beyond that', async () => {
    const server = await aServer({})
    const client = aClient(server)
    const headers = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x-${n}`, 'x'.repeat(100)]))
    const answer = await client.call('GET', '/api/v1/uploads', { headers })
    const { message } = failureOf(answer, 431, 'INVALID_REQUEST')
    expect(message).toBe('The headers of the request are too large.')
  })
})
