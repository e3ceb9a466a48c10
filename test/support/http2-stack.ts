import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2'
import type { HttpRequest, HttpResponse, HttpStack } from 'tus-js-client'

/** Requests over one HTTP/2 connection, for tus-js-client and by themselves. */
export class Http2Stack implements HttpStack {
  readonly #session: ClientHttp2Session

  /** `origin`: scheme, host and port; `ca`: who signs its certificate. */
  constructor(origin: string, ca?: Buffer) {
    this.#session = connect(origin, ca === undefined ? {} : { ca })
  }

  getName(): string {
    return 'Http2Stack'
  }

  createRequest(method: string, url: string): HttpRequest {
    return new Http2Request(this.#session, method, url)
  }

  /** Begins a request whose body the caller sends piece by piece. */
  open(method: string, path: string, headers: OutgoingHttpHeaders): ClientHttp2Stream {
    return this.#session.request({ ...headers, ':method': method, ':path': path })
  }

  close(): void {
    this.#session.destroy()
  }
}

class Http2Request implements HttpRequest {
  readonly #session: ClientHttp2Session
  readonly #method: string
  readonly #url: string
  readonly #headers: Record<string, string> = {}
  #onProgress: (bytesSent: number) => void = () => {}
  #stream: ClientHttp2Stream | null = null

  constructor(session: ClientHttp2Session, method: string, url: string) {
    this.#session = session
    this.#method = method
    this.#url = url
  }

  getMethod(): string {
    return this.#method
  }

  getURL(): string {
    return this.#url
  }

  setHeader(name: string, value: string): void {
    this.#headers[name.toLowerCase()] = value
  }

  getHeader(name: string): string | undefined {
    return this.#headers[name.toLowerCase()]
  }

  setProgressHandler(handler: (bytesSent: number) => void): void {
    this.#onProgress = handler
  }

  send(body: Uint8Array | null = null): Promise<HttpResponse> {
    const { pathname, search } = new URL(this.#url)
    const head = { ...this.#headers, ':method': this.#method, ':path': pathname + search }
    const stream = this.#session.request(head, { endStream: body === null })
    this.#stream = stream
    return new Promise((resolve, reject) => {
      stream.once('error', reject)
      stream.once('response', (headers) => {
        const pieces: Buffer[] = []
        stream.on('data', (piece: Buffer) => pieces.push(piece))
        stream.once('end', () => {
          if (body !== null) this.#onProgress(body.length)
          resolve({
            getStatus: () => headers[':status'] ?? 0,
            getHeader: (name) => headers[name.toLowerCase()]?.toString(),
            getBody: () => Buffer.concat(pieces).toString(),
            getUnderlyingObject: () => stream,
          })
        })
      })
      if (body !== null) stream.end(body)
    })
  }

  abort(): Promise<void> {
    this.#stream?.close()
    return Promise.resolve()
  }

  getUnderlyingObject(): ClientHttp2Stream | null {
    return this.#stream
  }
}
