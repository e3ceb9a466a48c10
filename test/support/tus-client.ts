import { createHash } from 'node:crypto'
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'

/** What a server answered, body read to its end. */
export interface TusAnswer {
  readonly status: number
  /** The reason phrase. */
  readonly reason: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Request headers; undefined leaves out one that would otherwise be sent. */
export type TusHeaders = Readonly<Record<string, string | number | undefined>>

/** What one request sends. */
export interface TusRequestOptions {
  readonly headers?: TusHeaders
  readonly body?: Uint8Array
  /** Sends the body with chunked transfer encoding, so that its length is not known before its end. */
  readonly chunked?: boolean
  /** Sent after a chunked body. Whether they are announced is for the headers to say. */
  readonly trailers?: Readonly<Record<string, string>>
}

/** A request whose body is still being sent, so that it can stall, or be cut in the middle. */
export interface OpenTusRequest {
  /** The server's answer; rejects when the connection breaks before one. */
  readonly answer: Promise<TusAnswer>
  /** Sends bytes; resolves when the system has taken all of them. */
  write(bytes: Uint8Array): Promise<void>
  /** Ends the body. */
  end(): void
  /** Breaks the connection, as a network does. */
  cut(): void
}

/** The type of every body that is appended. */
export const OFFSET_OCTET_STREAM = 'application/offset+octet-stream'

/** A tus client without opinions: it sends what it is told and hands back what came, each request on its own connection. */
export class TusClient {
  readonly #base: string

  /** `base`: scheme, host and port. */
  constructor(base: string) {
    this.#base = base
  }

  /** Sends a request. `Tus-Resumable` is there unless it is set otherwise. */
  request(method: string, path: string, options: TusRequestOptions = {}): Promise<TusAnswer> {
    const { body, chunked = false, headers = {}, trailers } = options
    const framing: TusHeaders = body === undefined || chunked ? {} : { 'Content-Length': body.length }
    const sent = this.#send(method, path, { ...framing, ...headers })
    const answer = answerOf(sent)
    if (chunked && body !== undefined) {
      // Two writes, so that not even the first piece tells how long the whole is.
      const middle = Math.ceil(body.length / 2)
      sent.write(body.subarray(0, middle))
      if (trailers !== undefined) sent.addTrailers(trailers)
      sent.end(body.subarray(middle))
    } else sent.end(body)
    return answer
  }

  /** Begins a request whose body the caller sends piece by piece. */
  open(method: string, path: string, headers: TusHeaders): OpenTusRequest {
    const sent = this.#send(method, path, headers)
    const answer = answerOf(sent)
    // Who cuts the connection does not wait for an answer.
    answer.catch(() => {})
    sent.flushHeaders()
    return {
      answer,
      write: (bytes) =>
        new Promise((resolve, reject) => {
          sent.write(bytes, (error) => (error == null ? resolve() : reject(error)))
        }),
      end: () => sent.end(),
      cut: () => sent.destroy(),
    }
  }

  /** Creates an upload of `size` bytes (null: the length is deferred); its path. */
  async create(size: number | null, headers: TusHeaders = {}): Promise<string> {
    const length: TusHeaders = size === null ? { 'Upload-Defer-Length': 1 } : { 'Upload-Length': size }
    const answer = await this.request('POST', '/files', { headers: { ...length, ...headers } })
    if (answer.status !== 201) throw new Error(`POST answered ${answer.status}: ${answer.body.toString()}`)
    return this.locationOf(answer)
  }

  /** The path that a creation's `Location` names. */
  locationOf(answer: TusAnswer): string {
    const { location } = answer.headers
    if (location === undefined) throw new Error('there is no Location')
    return new URL(location, this.#base).pathname
  }

  /** Appends `body` at `offset`. */
  patch(
    path: string,
    offset: number,
    body: Uint8Array,
    options: Omit<TusRequestOptions, 'body'> = {},
  ): Promise<TusAnswer> {
    return this.request('PATCH', path, {
      ...options,
      body,
      headers: { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': offset, ...options.headers },
    })
  }

  /** Begins a PATCH at `offset` that says it has `length` bytes. */
  openPatch(path: string, offset: number, length: number): OpenTusRequest {
    return this.open('PATCH', path, {
      'Content-Type': OFFSET_OCTET_STREAM,
      'Upload-Offset': offset,
      'Content-Length': length,
    })
  }

  head(path: string, headers: TusHeaders = {}): Promise<TusAnswer> {
    return this.request('HEAD', path, { headers })
  }

  /** `Upload-Offset` as HEAD says it. */
  async offset(path: string): Promise<number> {
    const answer = await this.head(path)
    if (answer.status !== 200) throw new Error(`HEAD answered ${answer.status}`)
    return Number(answer.headers['upload-offset'])
  }

  #send(method: string, path: string, headers: TusHeaders): ClientRequest {
    const { hostname, port } = new URL(this.#base)
    const sent = request({ hostname, port, method, path, agent: false })
    // The server must not close the connection of its own accord while a body is still on its way.
    const all: TusHeaders = { Connection: 'keep-alive', 'Tus-Resumable': '1.0.0', ...headers }
    for (const [name, value] of Object.entries(all)) if (value !== undefined) sent.setHeader(name, value)
    return sent
  }
}

/** `Upload-Metadata` of these pairs. */
export function encodeMetadata(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',')
}

/** SHA-256 in hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function answerOf(sent: ClientRequest): Promise<TusAnswer> {
  return new Promise((resolve, reject) => {
    // A server that answers early may reset what is still being sent: the answer counts.
    sent.on('error', reject)
    sent.once('response', (response) => {
      readAnswer(response).then(resolve, reject)
    })
  })
}

async function readAnswer(response: IncomingMessage): Promise<TusAnswer> {
  const buffers: Buffer[] = []
  for await (const buffer of response as AsyncIterable<Buffer>) buffers.push(buffer)
  const { statusCode: status = 0, statusMessage: reason = '' } = response
  return { status, reason, headers: response.headers, body: Buffer.concat(buffers) }
}
