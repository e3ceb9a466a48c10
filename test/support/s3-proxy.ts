import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { failureAnswer, type S3Fault } from './s3-proxy-fault.ts'
import { readS3Request, type S3Request } from './s3-proxy-request.ts'

/** So long a request is on its way that comes late, ms: its repetition has overtaken it. */
const LATE_MS = 50

/** A way to S3 on which any request can be made to fail, before S3 hears of it or after S3 has answered. */
export class S3Proxy {
  /** Asked at the head of every request; can be set anew at any time. */
  plan: (request: S3Request) => S3Fault | null = () => null
  readonly #target: URL
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  readonly #server: Server
  readonly #late = new Set<Promise<unknown>>()
  /** Targets that S3 knows no more. */
  readonly #forgotten = new Set<string>()

  private constructor(target: URL) {
    this.#target = target
    // A connection that is closed because nobody uses it might just be used: nothing fails but what is to fail.
    this.#server = createServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
      this.#answer(incoming, outgoing).catch(() => incoming.socket.destroy())
    })
  }

  static async start(target: string): Promise<S3Proxy> {
    const proxy = new S3Proxy(new URL(target))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resolves when S3 has heard of all requests that come late. */
  async settled(): Promise<void> {
    await Promise.all(this.#late)
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    this.#agent.destroy()
    await once(this.#server, 'close')
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const fault = this.plan(readS3Request(incoming.method ?? '', incoming.url ?? ''))
    if (this.#forgotten.has(incoming.url ?? '')) {
      send('404', outgoing)
      incoming.resume()
    } else if (fault === null) {
      const answer = await this.#forward(incoming, incoming)
      outgoing.writeHead(answer.statusCode ?? 0, answer.statusMessage, answer.rawHeaders)
      await pipeline(answer, outgoing)
    } else if (fault.how === 'late') {
      const body = await buffer(incoming)
      incoming.socket.resetAndDestroy()
      this.#sendLate(incoming, body)
    } else if (fault.when === 'before') {
      fail(fault, incoming, outgoing)
      // A client that is still sending is heard to its end.
      incoming.resume()
    } else {
      const answer = await this.#forward(incoming, incoming)
      const body = await buffer(answer)
      if (fault.how === 'forget') this.#forgotten.add(incoming.url ?? '')
      if (fault.how === 'cut' || fault.how === 'hang') await sendHalf(answer, body, outgoing)
      fail(fault, incoming, outgoing)
    }
  }

  /** Sends a request on as it came, its headers included: they are signed. */
  async #forward({ method, url, rawHeaders }: IncomingMessage, body: Readable): Promise<IncomingMessage> {
    const { hostname, port } = this.#target
    const head = { method: method ?? '', path: url ?? '', headers: rawHeaders }
    const outgoing = request({ hostname, port, ...head, agent: this.#agent })
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
    // S3 may answer before it has heard everything, and its answer decides.
    pipeline(body, outgoing).catch(() => {})
    const [answer] = await answered
    return answer
  }

  #sendLate(incoming: IncomingMessage, body: Buffer): void {
    const sent = delay(LATE_MS)
      .then(() => this.#forward(incoming, Readable.from([body])))
      .then((answer) => buffer(answer))
      .finally(() => this.#late.delete(sent))
    this.#late.add(sent)
  }
}

function fail({ how }: S3Fault, { socket }: IncomingMessage, outgoing: ServerResponse): void {
  switch (how) {
    case 'reset':
    case 'forget':
      socket.resetAndDestroy()
      break
    case 'cut':
      socket.destroySoon()
      break
    case '500':
    case '503':
    case '200':
      send(how, outgoing)
      break
    default:
    // The client waits until it has had enough.
  }
}

function send(how: Parameters<typeof failureAnswer>[0], outgoing: ServerResponse): void {
  const { status, body } = failureAnswer(how)
  outgoing.writeHead(status, { 'Content-Type': 'application/xml', 'Content-Length': Buffer.byteLength(body) })
  outgoing.end(body)
}

/** The head of an answer and half of its body. */
async function sendHalf(answer: IncomingMessage, body: Buffer, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(answer.statusCode ?? 0, answer.statusMessage, answer.rawHeaders)
  await new Promise((resolve) => outgoing.write(body.subarray(0, body.length / 2), resolve))
}
