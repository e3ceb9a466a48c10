import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const MIB = 1024 * 1024

/** An answer, whatever it is. */
export interface Answer {
  readonly status: number
  /** Head and body as they came. */
  readonly text: string
}

export type Headers = Readonly<Record<string, string>>

/** One keep-alive connection over a plain socket, a request at a time: as cheap as a client can be. */
export class Connection {
  readonly #socket: Socket
  readonly #host: string
  #received = ''
  #wake: (() => void) | null = null
  #drained: (() => void) | null = null

  private constructor(socket: Socket, host: string) {
    this.#socket = socket
    this.#host = host
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      this.#wake?.()
    })
    socket.on('error', () => {})
    socket.on('drain', () => this.#drained?.())
    socket.on('close', () => {
      this.#drained?.()
      this.#wake?.()
    })
  }

  static async to(url: string): Promise<Connection> {
    const { port, hostname, host } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.setNoDelay(true)
    return new Connection(socket, host)
  }

  /** Sends a request, a text or some bytes of {@link block}, and returns a success. @throws Error with any other answer */
  async request(method: string, path: string, headers: Headers, body: number | string = 0): Promise<string> {
    const { status, text } = await this.ask(method, path, headers, body)
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${text}`)
    return text
  }

  /** Sends a request and returns its answer. @throws Error where the connection ends before it */
  async ask(method: string, path: string, headers: Headers, body: number | string = 0): Promise<Answer> {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body
    const text = typeof body === 'string' ? body : ''
    this.begin(method, path, { ...headers, 'Content-Length': String(length) }, text)
    if (typeof body === 'number') for (const piece of piecesOf(body)) await this.send(piece)
    return this.answer(method === 'HEAD')
  }

  /** Sends a head, and what comes with it in one write. */
  begin(method: string, path: string, headers: Headers, text = ''): void {
    const lines = [`${method} ${path} HTTP/1.1`, `Host: ${this.#host}`]
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n${text}`)
  }

  /** Sends bytes, and resolves when more may be sent. */
  async send(bytes: Buffer): Promise<void> {
    if (!this.#socket.write(bytes) && !this.#socket.destroyed) {
      await new Promise<void>((resolve) => (this.#drained = resolve))
    }
  }

  async answer(isHead = false): Promise<Answer> {
    for (;;) {
      const end = endOfAnswer(this.#received, isHead)
      if (end !== null) {
        const text = this.#received.slice(0, end)
        this.#received = this.#received.slice(end)
        return { status: Number(text.slice(9, 12)), text }
      }
      if (this.#socket.destroyed) throw new Error(`The connection ended after: ${this.#received}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Random bytes that all bodies are made of. */
let random = randomBytes(5 * MIB)

/** The first bytes of every body: a chunk is `block(size)`, whichever it is. */
export function block(size: number): Buffer {
  if (random.length < size) random = randomBytes(size)
  return random.subarray(0, size)
}

function* piecesOf(bytes: number): Generator<Buffer> {
  const whole = block(Math.min(bytes, random.length))
  for (let left = bytes; left > 0; left -= whole.length) {
    for (let at = 0; at < Math.min(left, whole.length); at += MIB) {
      yield whole.subarray(at, Math.min(at + MIB, left, whole.length))
    }
  }
}

/** Where the first answer in a text ends, or null where it is not whole yet. */
function endOfAnswer(text: string, isHead: boolean): number | null {
  const head = text.indexOf('\r\n\r\n') + 4
  if (head < 4) return null
  const bodiless = isHead || /^HTTP\/1.1 (?:1|204)/.test(text)
  if (bodiless) return head
  if (/transfer-encoding: chunked/i.test(text.slice(0, head))) {
    const last = text.indexOf('0\r\n\r\n', head)
    return last < 0 ? null : last + 5
  }
  const end = head + Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0)
  return text.length >= end ? end : null
}
