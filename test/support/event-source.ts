import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'

/** One event, or a comment, as it came. */
export interface ServerEvent {
  /** Its name; null for a comment. */
  readonly event: string | null
  readonly id: string | null
  /** The data as JSON. */
  readonly data: unknown
  /** When it came, on `performance.now`. */
  readonly at: number
}

/** A raw client of Server-Sent Events: it hands out what came, and reads only when it is asked to. */
export class EventClient {
  readonly response: IncomingMessage
  readonly #request: ClientRequest
  readonly #chunks: AsyncIterator<Buffer>
  #text = ''

  private constructor(outgoing: ClientRequest, response: IncomingMessage) {
    this.#request = outgoing
    this.response = response
    this.#chunks = response[Symbol.asyncIterator]()
  }

  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventClient> {
    const outgoing = request(url, { headers: { Accept: 'text/event-stream', ...headers } })
    outgoing.on('error', () => {})
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    return new EventClient(outgoing, response)
  }

  get status(): number {
    return this.response.statusCode ?? 0
  }

  /** The next event or comment; null when the stream has ended. */
  async next(): Promise<ServerEvent | null> {
    let end = this.#text.indexOf('\n\n')
    while (end < 0) {
      const { done, value } = await this.#chunks.next()
      if (done === true) return null
      this.#text += value.toString('utf8')
      end = this.#text.indexOf('\n\n')
    }
    const block = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 2)
    return parseEvent(block)
  }

  /** The next event of this name; comments and others are passed over. */
  async until(name: string): Promise<ServerEvent> {
    for (let event = await this.next(); event !== null; event = await this.next())
      if (event.event === name) return event
    throw new Error(`the stream ended without ${name}`)
  }

  /** Everything up to the end. */
  async rest(): Promise<ServerEvent[]> {
    const events: ServerEvent[] = []
    for (let event = await this.next(); event !== null; event = await this.next()) events.push(event)
    return events
  }

  /** Goes away. */
  close(): void {
    this.#request.destroy()
  }
}

function parseEvent(block: string): ServerEvent {
  const fields = new Map(block.split('\n').map((line) => [line.split(':', 1)[0] ?? '', line.replace(/^[^:]*: ?/, '')]))
  const data = fields.get('data')
  return {
    event: fields.get('event') ?? null,
    id: fields.get('id') ?? null,
    data: data === undefined ? null : JSON.parse(data),
    at: performance.now(),
  }
}
