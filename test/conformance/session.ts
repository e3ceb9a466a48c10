import { setTimeout as delay } from 'node:timers/promises'
import type { Advertised } from './advertised.ts'
import { must } from './check.ts'
import { type Answer, cut, exchange, type Outgoing, type SentHeaders } from './wire.ts'

/** The type of every body that is appended. */
export const OFFSET_OCTET_STREAM = 'application/offset+octet-stream'

/** How long a server may take to settle what it received of a broken request, ms. */
const SETTLING_MS = 6000

/** What an upload is created with; `length` null: it is deferred. */
export interface NewUpload {
  readonly length?: number | null
  readonly headers?: SentHeaders
}

/** One check's view of the server: requests, and the uploads that it has made, which it removes at its end. */
export class Session {
  readonly advertised: Advertised
  readonly #endpoint: URL
  readonly #headers: SentHeaders
  readonly #signal: AbortSignal
  readonly #made = new Set<string>()

  /** `headers` are sent with every request: who asks. */
  constructor(endpoint: URL, advertised: Advertised, headers: SentHeaders, signal: AbortSignal) {
    this.#endpoint = endpoint
    this.advertised = advertised
    this.#headers = headers
    this.#signal = signal
  }

  /** The upload creation URL. */
  get endpoint(): string {
    return this.#endpoint.href
  }

  /** Sends a request. `Tus-Resumable` is there unless it is set otherwise. */
  send(method: string, url: string, outgoing: Outgoing = {}): Promise<Answer> {
    return exchange(method, new URL(url), this.#outgoing(outgoing), this.#signal)
  }

  /** Sends the first `bytes` of a PATCH and breaks the connection. */
  cutPatch(url: string, offset: number, body: Uint8Array, bytes: number, headers: SentHeaders = {}): Promise<void> {
    const all = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': offset, ...headers }
    return cut('PATCH', new URL(url), this.#outgoing({ headers: all, body, cutAfter: bytes }), this.#signal)
  }

  /** Sends a creation, whatever comes of it. */
  async post(outgoing: Outgoing = {}): Promise<Answer> {
    const answer = await this.send('POST', this.endpoint, outgoing)
    if (answer.status === 201 && answer.headers.location !== undefined) this.#made.add(this.locationOf(answer))
    return answer
  }

  /** Creates an upload; its address. */
  async create({ length = 11, headers = {} }: NewUpload = {}): Promise<string> {
    const size: SentHeaders = length === null ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': length }
    const answer = await this.post({ headers: { 'Content-Length': 0, ...size, ...headers } })
    must(answer.status === 201, `a creation is answered ${told(answer)}`)
    return this.locationOf(answer)
  }

  /** Creates an upload that has all its bytes; its address. */
  async createFull(bytes: Uint8Array, headers: SentHeaders = {}): Promise<string> {
    const url = await this.create({ length: bytes.length, headers })
    if (bytes.length > 0) await this.append(url, 0, bytes)
    return url
  }

  /** The address that a creation's `Location` names. */
  locationOf(answer: Answer): string {
    const { location } = answer.headers
    must(location !== undefined && location !== '', 'there is no Location')
    must(URL.canParse(location, this.#endpoint.href), `Location is not a URL: ${location}`)
    return new URL(location, this.#endpoint).href
  }

  /** Sends a PATCH, whatever comes of it. */
  patch(
    url: string,
    offset: number | string,
    body: Uint8Array,
    { headers = {}, ...rest }: Omit<Outgoing, 'body'> = {},
  ): Promise<Answer> {
    const all = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': offset, ...headers }
    return this.send('PATCH', url, { ...rest, headers: all, body })
  }

  /** Appends bytes, which must succeed; the new offset. */
  async append(url: string, offset: number, body: Uint8Array, outgoing: Omit<Outgoing, 'body'> = {}): Promise<number> {
    const answer = await this.patch(url, offset, body, outgoing)
    must(answer.status === 204, `a PATCH at the right offset is answered ${told(answer)}`)
    return Number(answer.headers['upload-offset'])
  }

  head(url: string, headers: SentHeaders = {}): Promise<Answer> {
    return this.send('HEAD', url, { headers })
  }

  /** A HEAD that must succeed. */
  async status(url: string): Promise<Answer> {
    const answer = await this.head(url)
    must(answer.status === 200 || answer.status === 204, `HEAD is answered ${answer.status}`)
    return answer
  }

  /** `Upload-Offset` as HEAD says it. */
  async offset(url: string): Promise<number> {
    const { headers } = await this.status(url)
    must(headers['upload-offset'] !== undefined, 'HEAD says no Upload-Offset')
    return Number(headers['upload-offset'])
  }

  /** `Upload-Offset` once the server has settled what came of a broken request: when it is above `from`, or time is up. */
  async settledOffset(url: string, from: number): Promise<number> {
    const deadline = Date.now() + SETTLING_MS
    for (let last = from; ; ) {
      const { status, headers } = await this.head(url)
      const offset = status === 200 ? Number(headers['upload-offset']) : Number.NaN
      if ((offset > from && offset === last) || Date.now() > deadline) return offset
      last = offset
      await delay(100)
    }
  }

  /** `Upload-Offset` once the server is done with what came of a broken request, whatever it kept of it. */
  async offsetWhenFree(url: string): Promise<number> {
    const deadline = Date.now() + SETTLING_MS
    for (let last = Number.NaN; ; ) {
      const { status, headers } = await this.head(url)
      const offset = status === 200 ? Number(headers['upload-offset']) : Number.NaN
      if (offset === last) return offset
      must(Date.now() < deadline, `HEAD is answered ${status}, ${SETTLING_MS / 1000} s after the connection broke`)
      last = offset
      await delay(200)
    }
  }

  /** @throws Violation unless the upload is at `offset` */
  async mustBeAt(url: string, offset: number): Promise<void> {
    const now = await this.offset(url)
    must(now === offset, `the upload is at ${now}, not at ${offset}`)
  }

  remove(url: string): Promise<Answer> {
    return this.send('DELETE', url)
  }

  /** An address at which there is no upload, shaped like those of this server. */
  async nowhere(): Promise<string> {
    const url = await this.create()
    // The last character that may be changed without leaving the alphabet of the id.
    return url.replace(/[\da-z](?=[^\da-z]*$)/i, (last) => (last === '0' ? '1' : '0'))
  }

  /**
   * The bytes of an upload where the server gives them out. It need not: downloads are not part of tus. Null where it does
   * not, and then the offset alone is what can be seen.
   */
  async content(url: string): Promise<Buffer | null> {
    const { status, body } = await this.send('GET', url)
    return status === 200 ? body : null
  }

  /** @throws Violation where the server gives out an upload's bytes, and they are others */
  async mustHold(url: string, bytes: Uint8Array): Promise<void> {
    const content = await this.content(url)
    must(content === null || content.equals(bytes), `the upload holds other bytes than were sent`)
  }

  /** Removes what was made, as far as the server lets it. */
  async cleanUp(signal: AbortSignal): Promise<void> {
    if (!this.advertised.extensions.has('termination')) return
    const remove = (url: string): Promise<Answer> => exchange('DELETE', new URL(url), this.#outgoing({}), signal)
    await Promise.allSettled([...this.#made].map(remove))
  }

  #outgoing(outgoing: Outgoing): Outgoing {
    return { ...outgoing, headers: { 'Tus-Resumable': '1.0.0', ...this.#headers, ...outgoing.headers } }
  }
}

/** An answer for a message: its status and the beginning of its body. */
export function told({ status, body }: Answer): string {
  const text = body.toString().trim().slice(0, 120)
  return text === '' ? String(status) : `${status} (${text})`
}

/** @throws Violation unless an answer refuses a request as the client's mistake */
export function mustRefuse(answer: Answer): void {
  must(answer.status >= 400 && answer.status < 500, `it is answered ${told(answer)}`)
}
