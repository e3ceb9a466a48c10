import { Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** A whole answer. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A request, and what its sender wants to be told of. */
export interface WireRequest {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | undefined
  /** Size of the next piece of the body, bytes. @default all of it */
  readonly pieceBytes?: () => number
  /** Pause after a piece, ms; 0 only lets others have their turn. @default 0 */
  readonly pauseMs?: () => number
  /** A piece has been handed to the system. */
  readonly onSent?: (bytes: number) => void
  /** The sender breaks the connection after so many bytes of the body. @default never */
  readonly cutAfterBytes?: number
  /** How long nothing may come or go before the sender has had enough, ms. @default for ever */
  readonly patienceMs?: number
  /** All of the request has been handed to the system. */
  readonly onAllSent?: () => void
  /** The head of the answer is here. */
  readonly onAnswer?: (status: number) => void
}

/** The other side has gone before it answered. */
export class ConnectionLost extends Error {}

/** A plain HTTP client of one server that shows what is on the wire when. Nothing is ever sent twice. */
export class Wire {
  readonly url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity })

  constructor(url: string) {
    this.url = url
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Sends a request and reads the answer. @throws ConnectionLost when there is none */
  async send(method: string, path: string, options: WireRequest = {}): Promise<Answer> {
    const { body, headers = {} } = options
    const length = body === undefined ? {} : { 'Content-Length': String(body.length) }
    const message = request(new URL(path, this.url), { method, agent: this.#agent, headers: { ...length, ...headers } })
    const { patienceMs = 0 } = options
    message.setTimeout(patienceMs, () => message.destroy(new Error(`nothing for ${patienceMs} ms`)))
    const answered = answerTo(message, options)
    const sending = sendBody(message, options, answered)
    // Whichever fails, the answer decides: a server may answer and close before it has read everything.
    const [answer] = await Promise.allSettled([answered, sending])
    if (answer.status === 'fulfilled') return answer.value
    throw new ConnectionLost(`${method} ${path}: ${String(answer.reason)}`)
  }
}

function answerTo(message: ClientRequest, { onAnswer }: WireRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let response: IncomingMessage | null = null
    message.once('response', (head) => {
      response = head
      onAnswer?.(head.statusCode ?? 0)
      const pieces: Buffer[] = []
      head.on('data', (piece: Buffer) => pieces.push(piece))
      head.once('error', reject)
      head.once('aborted', () => reject(new Error('the answer was cut')))
      head.once('end', () => {
        resolve({ status: head.statusCode ?? 0, headers: head.headers, body: Buffer.concat(pieces) })
        if (!message.writableEnded) message.destroy()
      })
    })
    // Errors after the head of the answer belong to the sending, or are told by the answer itself.
    message.on('error', (error) => {
      if (response === null) reject(error)
    })
    message.once('close', () => reject(new Error('the connection was closed')))
  })
}

async function sendBody(message: ClientRequest, options: WireRequest, answered: Promise<unknown>): Promise<void> {
  const { body = Buffer.alloc(0), pieceBytes, pauseMs, onSent, onAllSent, cutAfterBytes = Infinity } = options
  const over = new AbortController()
  const stop = (): void => over.abort()
  answered.then(stop, stop)
  for (let at = 0; at < body.length && !over.signal.aborted; ) {
    const piece = body.subarray(at, at + Math.max(1, pieceBytes?.() ?? body.length))
    at += piece.length
    await Promise.race([handOver(message, piece), answered])
    onSent?.(piece.length)
    if (at >= cutAfterBytes) message.destroy()
    if (at < body.length) await delay(pauseMs?.() ?? 0)
  }
  if (over.signal.aborted) return
  message.end(() => onAllSent?.())
}

function handOver(message: ClientRequest, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    message.write(piece, (error) => (error ? reject(error) : resolve()))
  })
}
