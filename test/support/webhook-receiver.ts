import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

/** A secret as operators make it: 32 bytes. */
export const WEBHOOK_SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`

/** What a receiver is told. */
export interface ReceivedEvent {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What a receiver does with a request: answers with a status, or hangs. */
export type Reception = number | 'hang'

/** A receiver of webhooks that checks each with the reference library. */
export class WebhookReceiver {
  /** Every event that came, also those that were not taken, in their order. */
  readonly events: ReceivedEvent[] = []
  /** What was wrong with requests. */
  readonly faults: unknown[] = []
  /** What is done with the next ones; empty: 204. */
  readonly plan: Reception[] = []
  /** Headers of answers. */
  headers: Readonly<Record<string, string>> = {}
  #port: number
  #server: Server
  readonly #secret: string
  readonly #came = new EventEmitter()

  private constructor(server: Server, secret: string) {
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
    this.#secret = secret
    server.on('request', this.#receive)
  }

  static async start(secret = WEBHOOK_SECRET): Promise<WebhookReceiver> {
    return new WebhookReceiver(await listening(0), secret)
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hooks`
  }

  /** Ids of the deliveries so far. */
  get ids(): string[] {
    return this.events.map(({ id }) => id)
  }

  /** Resolves when so many events have come in all. */
  async received(count: number): Promise<readonly ReceivedEvent[]> {
    while (this.events.length < count) await once(this.#came, 'event')
    return this.events
  }

  /** Is away: connections are refused. */
  async leave(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  /** Is there again, at the same address. */
  async comeBack(): Promise<void> {
    this.#server = await listening(this.#port)
    this.#server.on('request', this.#receive)
  }

  readonly #receive = (request: IncomingMessage, response: ServerResponse): void => {
    void this.#take(request, response).catch((error: unknown) => this.faults.push(error))
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    try {
      if (request.method !== 'POST' || request.headers['content-type'] !== 'application/json') {
        throw new Error(`${request.method} ${request.headers['content-type']}`)
      }
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
      const content = new Webhook(this.#secret).verify(body, headers) as Omit<ReceivedEvent, 'id'>
      this.events.push({ ...content, id: String(request.headers['webhook-id']) })
    } catch (error) {
      this.faults.push(error)
    }
    const reception = this.plan.shift() ?? 204
    this.#came.emit('event')
    if (reception !== 'hang') response.writeHead(reception, this.headers).end('thank you')
  }
}

async function listening(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
