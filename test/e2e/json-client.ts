/** What the JSON API answered. */
export interface JsonAnswer {
  readonly status: number
  readonly data: Readonly<Record<string, unknown>>
  /** The code of the error, or null. */
  readonly code: string | null
}

interface SentRequest extends Omit<RequestInit, 'headers'> {
  readonly headers?: Readonly<Record<string, string>>
}

/** A plain client of the JSON API. */
export class JsonClient {
  readonly #base: string
  readonly #headers: Readonly<Record<string, string>>

  /** `base`: scheme, host and port; `headers` come with every request. */
  constructor(base: string, headers: Readonly<Record<string, string>> = {}) {
    this.#headers = headers
    this.#base = `${base}/api/v1/uploads`
  }

  initiate(body: object): Promise<JsonAnswer> {
    const headers = { 'Content-Type': 'application/json' }
    return this.#send('/initiate', { method: 'POST', headers, body: JSON.stringify(body) })
  }

  /** Sends chunk `number` of `file`, which is cut at `chunkSize`. */
  chunk(id: string, number: number, file: Buffer, chunkSize: number): Promise<JsonAnswer> {
    const body = new Uint8Array(file.subarray(number * chunkSize, (number + 1) * chunkSize))
    const headers = { 'Content-Type': 'application/octet-stream', 'X-Chunk-Number': String(number) }
    return this.#send(`/${id}/chunks`, { method: 'POST', headers, body })
  }

  progress(id: string): Promise<JsonAnswer> {
    return this.#send(`/${id}/progress`, { method: 'GET' })
  }

  resume(id: string): Promise<JsonAnswer> {
    return this.#send(`/${id}/resume`, { method: 'POST' })
  }

  complete(id: string): Promise<JsonAnswer> {
    return this.#send(`/${id}/complete`, { method: 'POST' })
  }

  async #send(path: string, init: SentRequest): Promise<JsonAnswer> {
    const response = await fetch(`${this.#base}${path}`, { ...init, headers: { ...this.#headers, ...init.headers } })
    const body = (await response.json()) as {
      readonly data?: Readonly<Record<string, unknown>>
      readonly error?: { readonly code: string }
    }
    return { status: response.status, data: body.data ?? {}, code: body.error?.code ?? null }
  }
}
