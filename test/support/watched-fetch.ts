/** One request of a client. */
export interface WatchedRequest {
  readonly method: string
  /** `initiate`, `chunks`, …; the method where the address is the upload's own. */
  readonly call: string
  /** The number of its chunk; null for other calls. */
  readonly chunk: number | null
  readonly headers: Headers
  /** The status of the answer; null while there is none. */
  status: number | null
}

/** What a test does to requests. */
export interface FetchHooks {
  /** Before a request is sent. */
  readonly before?: (request: WatchedRequest) => Promise<void> | void
  /** The body to send in the place of the client's. */
  readonly body?: (request: WatchedRequest, body: ArrayBuffer) => ArrayBuffer
  /** When the answer is there, before the client has it. Whatever it throws the client gets. */
  readonly after?: (request: WatchedRequest) => Promise<void> | void
}

/** A `fetch` for a client, and all that went through it. */
export class WatchedFetch {
  readonly requests: WatchedRequest[] = []
  readonly fetch: typeof fetch

  constructor({ before, body: spoil, after }: FetchHooks = {}) {
    this.fetch = async (input, init = {}) => {
      const headers = new Headers(init.headers)
      const number = headers.get('X-Chunk-Number')
      const method = init.method ?? 'GET'
      const last = new URL(input instanceof Request ? input.url : input).pathname.split('/').at(-1) ?? ''
      const request: WatchedRequest = {
        method,
        call: /^(?:initiate|chunks|progress|complete|resume)$/.test(last) ? last : method,
        chunk: number === null ? null : Number(number),
        headers,
        status: null,
      }
      this.requests.push(request)
      await before?.(request)
      const { body } = init
      const sent = body instanceof ArrayBuffer && spoil !== undefined ? { ...init, body: spoil(request, body) } : init
      const response = await fetch(input, sent)
      request.status = response.status
      await after?.(request)
      return response
    }
  }

  /** Numbers of the chunks that the server has taken, in the order of the requests. */
  get stored(): number[] {
    return this.requests.flatMap(({ chunk, status }) => (chunk !== null && status === 200 ? [chunk] : []))
  }

  /** The calls in their order, chunks left out. */
  get calls(): string[] {
    return this.requests.filter(({ chunk }) => chunk === null).map(({ call }) => call)
  }
}
