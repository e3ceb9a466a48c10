/**
 * The client of the benchmark, in a process of its own: `node load.js WORKLOAD URL BYTES CONNECTIONS`. It speaks HTTP over
 * plain sockets, so that it costs the machine as little as it can. Prints one line of JSON.
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB
const block = randomBytes(CHUNK)
const digest = createHash('sha256').update(block).digest('hex')

/** One keep-alive connection: a request at a time. */
class Connection {
  readonly #socket: Socket
  readonly #host: string
  #received = ''
  #wake: (() => void) | null = null

  private constructor(socket: Socket, host: string) {
    this.#socket = socket
    this.#host = host
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      this.#wake?.()
    })
  }

  static async to(url: URL): Promise<Connection> {
    const socket = connect(Number(url.port), url.hostname)
    await once(socket, 'connect')
    socket.setNoDelay(true)
    return new Connection(socket, url.host)
  }

  async request(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: number | string = 0,
  ): Promise<string> {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body
    const lines = [`${method} ${path} HTTP/1.1`, `Host: ${this.#host}`, `Content-Length: ${length}`]
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    if (typeof body === 'string') this.#socket.write(body)
    else await this.#send(body)
    return this.#answer()
  }

  async #send(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; left -= CHUNK) {
      const piece = left >= CHUNK ? block : block.subarray(0, left)
      for (let at = 0; at < piece.length; at += MIB) {
        if (!this.#socket.write(piece.subarray(at, at + MIB))) await once(this.#socket, 'drain')
      }
    }
  }

  /** The answer, head and body; throws where it is no success. */
  async #answer(): Promise<string> {
    for (;;) {
      const end = endOfAnswer(this.#received)
      if (end !== null) {
        const answer = this.#received.slice(0, end)
        this.#received = this.#received.slice(end)
        if (!/^HTTP\/1.1 2/.test(answer)) throw new Error(answer)
        return answer
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Where the first answer in a text ends, or null where it is not whole yet. */
function endOfAnswer(text: string): number | null {
  const head = text.indexOf('\r\n\r\n') + 4
  if (head < 4) return null
  if (/transfer-encoding: chunked/i.test(text.slice(0, head))) {
    const last = text.indexOf('0\r\n\r\n', head)
    return last < 0 ? null : last + 5
  }
  const end = head + Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0)
  return text.length >= end ? end : null
}

const TUS = { 'Tus-Resumable': '1.0.0' }
const PATCH = { ...TUS, 'Content-Type': 'application/offset+octet-stream' }

async function createTus(connection: Connection, size: number): Promise<string> {
  const answer = await connection.request('POST', '/files', { ...TUS, 'Upload-Length': String(size) })
  const location = /location: (\S+)/i.exec(answer)?.[1] ?? ''
  return new URL(location, 'http://localhost').pathname
}

/** One upload in one PATCH. */
async function patch(connection: Connection, bytes: number): Promise<void> {
  const path = await createTus(connection, bytes)
  await connection.request('PATCH', path, { ...PATCH, 'Upload-Offset': '0' }, bytes)
}

/** One upload in PATCHes of 5 MiB. */
async function patches(connection: Connection, bytes: number): Promise<void> {
  const path = await createTus(connection, bytes)
  for (let offset = 0; offset < bytes; offset += CHUNK) {
    const length = Math.min(CHUNK, bytes - offset)
    await connection.request('PATCH', path, { ...PATCH, 'Upload-Offset': String(offset) }, length)
  }
}

const API = '/api/v1/uploads'
const JSON_TYPE = { 'Content-Type': 'application/json' }

/** One upload in JSON chunks of 5 MiB with declared SHA-256, over all connections. */
async function chunks(connections: readonly Connection[], bytes: number): Promise<void> {
  const [first] = connections
  if (first === undefined) return
  const whole = Math.ceil(bytes / CHUNK) * CHUNK
  const body = JSON.stringify({ fileName: 'bench.bin', fileSize: whole })
  const id = /"id":"([^"]+)"/.exec(await first.request('POST', `${API}/initiate`, JSON_TYPE, body))?.[1] ?? ''
  let next = 0
  const send = async (connection: Connection): Promise<void> => {
    while (next < whole / CHUNK) {
      const headers = {
        'X-Chunk-Number': String(next++),
        'X-Chunk-Checksum': digest,
        'Content-Type': 'application/octet-stream',
      }
      await connection.request('POST', `${API}/${id}/chunks`, headers, CHUNK)
    }
  }
  await Promise.all(connections.map(send))
  await first.request('POST', `${API}/${id}/complete`, { Prefer: 'wait=0' })
}

const [workload = '', address = '', bytesText = '0', connectionsText = '1'] = process.argv.slice(2)
const bytes = Number(bytesText)
const url = new URL(address)
const connections = await Promise.all(Array.from({ length: Number(connectionsText) }, () => Connection.to(url)))
const began = performance.now()
if (workload === 'patch') await Promise.all(connections.map((one) => patch(one, bytes / connections.length)))
else if (workload === 'patches') await Promise.all(connections.map((one) => patches(one, bytes / connections.length)))
else if (workload === 'chunks') await chunks(connections, bytes)
else throw new Error(`unknown workload ${workload}`)
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }))
for (const one of connections) one.close()
