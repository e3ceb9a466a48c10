import { createHash, randomBytes } from 'node:crypto'
import { Agent, type ClientRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { openApiDocument } from '../../adapters/openapi-document.ts'
import { Documented } from './documented.ts'

/** What came back, read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON, or undefined where it is none. */
  readonly json: unknown
}

/** What a request has beside its method and target. */
export interface RequestParts {
  readonly headers?: OutgoingHttpHeaders
  /** A text or bytes go out with a Content-Length, a list of bytes piece by piece and of unknown length. */
  readonly body?: string | Buffer | readonly Buffer[]
  /** Sent after a list of bytes. Whether they are announced is for the headers to say. */
  readonly trailers?: OutgoingHttpHeaders
}

/** `data` of initiate. */
export interface Initiated {
  readonly id: string
  readonly fileId: string
  readonly fileName: string
  readonly fileSize: number
  readonly chunkSize: number
  readonly totalChunks: number
  readonly status: string
  readonly expiresAt: string
  readonly tusUrl: string
}

/** `data` of a chunk. */
export interface ChunkAnswer {
  readonly chunkNumber: number
  readonly size: number
  readonly checksum: string
  readonly storageKey: string
  readonly uploadedAt: string
  readonly expiresAt: string
}

/** `data` of progress. */
export interface ProgressAnswer {
  readonly sessionId: string
  readonly fileId: string
  readonly fileName: string
  readonly totalSize: number | null
  readonly uploadedBytes: number
  readonly percentComplete: number | null
  readonly chunksUploaded: number
  readonly totalChunks: number | null
  readonly status: string
  readonly estimatedTimeRemaining: string | null
  readonly bytesPerSecond: number
  readonly missingChunks: readonly (readonly [number, number])[]
  readonly chunkSize: number
  readonly expiresAt: string
}

/** `data` of resume. */
export interface ResumeAnswer {
  readonly id: string
  readonly status: string
  readonly uploadedBytes: number
  readonly nextChunkNumber: number | null
  readonly missingChunks: readonly (readonly [number, number])[]
  readonly chunkSize: number
  readonly totalChunks: number
  readonly expiresAt: string
}

/** `data` of complete. */
export interface FileAnswer {
  readonly id: string
  readonly name: string
  readonly size: number
  readonly contentType: string
  readonly status: string
  readonly uploadedAt: string
  readonly checksum: string | null
  readonly checksumType: string
  readonly checksumStatus?: string
}

/** `error` of a failure. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly requestId: string
}

/** What a new upload is asked for with; the rest has defaults. */
export interface BeginParts {
  readonly fileName?: string
  readonly fileSize: number
  readonly chunkSize?: number
  readonly contentType?: string
  readonly metadata?: object
  readonly checksum?: string
}

/** A request whose body the test writes as it likes. */
export class OpenRequest {
  readonly #request: ClientRequest
  readonly answer: Promise<Answer>

  constructor(outgoing: ClientRequest, answer: Promise<Answer>) {
    this.#request = outgoing
    this.answer = answer
  }

  /** Resolves when the bytes have been handed to the operating system. */
  async write(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#request.write(bytes, (error) => (error == null ? resolve() : reject(error)))
    })
  }

  /** Ends the body, and resolves with the answer. */
  async end(bytes: Buffer = Buffer.alloc(0)): Promise<Answer> {
    this.#request.end(bytes)
    return this.answer
  }

  /** Goes away in the middle of it, as a client does that loses its network. */
  async cut(): Promise<void> {
    this.#request.destroy()
    await this.answer.catch(() => {})
  }
}

/** A raw client of the JSON API: it sends what it is told, also what no good client would send. */
export class JsonClient {
  readonly url: string
  readonly prefix: string
  /** The code of every failure received. */
  readonly codes = new Set<string>()
  readonly #agent: Agent
  readonly #documented: Documented

  constructor(url: string, options: { readonly prefix?: string; readonly connections?: number } = {}) {
    this.url = url
    this.prefix = options.prefix ?? '/api/v1/uploads'
    this.#documented = new Documented(openApiDocument({ apiPrefix: this.prefix }))
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? 64 })
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#agent.destroy()
  }

  /** Sends the head of a request at once, and leaves its body to the caller. `target` goes out as it is. */
  open(method: string, target: string, headers: OutgoingHttpHeaders = {}): OpenRequest {
    const outgoing = this.#request(method, target, headers)
    outgoing.flushHeaders()
    return new OpenRequest(outgoing, this.#answerTo(outgoing))
  }

  /** Sends a whole request. `target` goes out as it is: nothing is encoded or tidied. */
  async call(
    method: string,
    target: string,
    { headers = {}, body, trailers = {} }: RequestParts = {},
  ): Promise<Answer> {
    const outgoing = this.#request(method, target, headers)
    const answer = this.#answerTo(outgoing)
    if (typeof body === 'string' || Buffer.isBuffer(body)) outgoing.end(body)
    else if (body === undefined) outgoing.end()
    else {
      for (const piece of body) outgoing.write(piece)
      outgoing.addTrailers(trailers)
      outgoing.end()
    }
    return answer
  }

  initiate(body: unknown, headers: OutgoingHttpHeaders = {}): Promise<Answer> {
    return this.call('POST', `${this.prefix}/initiate`, {
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  }

  chunk(
    id: string,
    number: number | string,
    body: Buffer | readonly Buffer[],
    headers: OutgoingHttpHeaders = {},
  ): Promise<Answer> {
    return this.call('POST', this.target(id, 'chunks'), { headers: { ...chunkHeaders(number), ...headers }, body })
  }

  /** Begins to send a chunk. The Content-Length is `length`; without one the length is unknown to the server. */
  openChunk(id: string, number: number, length?: number): OpenRequest {
    return this.open('POST', this.target(id, 'chunks'), {
      ...chunkHeaders(number),
      ...(length === undefined ? {} : { 'Content-Length': length }),
    })
  }

  progress(id: string): Promise<Answer> {
    return this.call('GET', this.target(id, 'progress'))
  }

  complete(id: string, parts: RequestParts = {}): Promise<Answer> {
    return this.call('POST', this.target(id, 'complete'), parts)
  }

  resume(id: string, parts: RequestParts = {}): Promise<Answer> {
    return this.call('POST', this.target(id, 'resume'), parts)
  }

  cancel(id: string, parts: RequestParts = {}): Promise<Answer> {
    return this.call('DELETE', this.target(id), parts)
  }

  /** Where something of an upload is. */
  target(id: string, what?: string): string {
    return what === undefined ? `${this.prefix}/${id}` : `${this.prefix}/${id}/${what}`
  }

  /** Begins an upload that is expected to be taken. */
  async begin(parts: BeginParts, headers: OutgoingHttpHeaders = {}): Promise<Initiated> {
    const answer = await this.initiate({ fileName: 'holiday.mov', contentType: 'video/quicktime', ...parts }, headers)
    return dataOf(answer, 201) as Initiated
  }

  /** Sends a chunk that is expected to be taken. */
  async sent(id: string, number: number, body: Buffer): Promise<ChunkAnswer> {
    return dataOf(await this.chunk(id, number, body)) as ChunkAnswer
  }

  /** Sends every chunk of a file, one after the other. */
  async sendAll({ id, chunkSize, totalChunks }: Initiated, file: Buffer): Promise<void> {
    for (let n = 0; n < totalChunks; n += 1) await this.sent(id, n, chunkOf(file, chunkSize, n))
  }

  /** Begins an upload and sends all its chunks. */
  async filled(file: Buffer, parts: Omit<BeginParts, 'fileSize'> = {}): Promise<Initiated> {
    const begun = await this.begin({ ...parts, fileSize: file.length })
    await this.sendAll(begun, file)
    return begun
  }

  async progressed(id: string): Promise<ProgressAnswer> {
    return dataOf(await this.progress(id)) as ProgressAnswer
  }

  async completed(id: string, parts: RequestParts = {}): Promise<FileAnswer> {
    return dataOf(await this.complete(id, parts)) as FileAnswer
  }

  async resumed(id: string): Promise<ResumeAnswer> {
    return dataOf(await this.resume(id)) as ResumeAnswer
  }

  #request(method: string, target: string, headers: OutgoingHttpHeaders): ClientRequest {
    const { hostname, port } = new URL(this.url)
    return request({ hostname, port, method, path: target, headers, agent: this.#agent })
  }

  #answerTo(outgoing: ClientRequest): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      // Expects a listener: an answer may come before the body is out, and its connection may close then.
      outgoing.on('error', reject)
      outgoing.once('response', (incoming) => {
        const read = text(incoming).then((body) => {
          const json = parsed(body)
          this.#note(json)
          const status = incoming.statusCode ?? 0
          // Whatever a test is about, the server answers nothing but what its document says.
          expect(this.#documented.fault(outgoing.method, outgoing.path, { status, json })).toBeNull()
          return { status, headers: incoming.headers, text: body, json }
        })
        read.then(resolve, reject)
      })
    })
    // Whoever cuts a request does not ask for its answer.
    answer.catch(() => {})
    return answer
  }

  #note(json: unknown): void {
    const code = (json as { error?: { code?: unknown } } | undefined)?.error?.code
    if (typeof code === 'string') this.codes.add(code)
  }
}

/** The `data` of a success. */
export function dataOf(answer: Answer, status = 200): unknown {
  expect(answer, answer.text).toMatchObject({ status, json: { success: true } })
  expect(answer.headers['content-type']).toMatch(/^application\/json\b/)
  return (answer.json as { data: unknown }).data
}

/** The `error` of a failure, which has the contract's form, says something, and betrays nothing of the server. */
export function failureOf(answer: Answer, status: number, code: string): Failure {
  expect(answer, answer.text).toMatchObject({ status, json: { success: false, error: { code } } })
  expect(answer.headers['content-type']).toMatch(/^application\/json\b/)
  const body = answer.json as { readonly error: Failure }
  expect(Object.keys(body).toSorted()).toEqual(['error', 'success'])
  const allowed = ['code', 'details', 'message', 'requestId']
  expect(allowed).toEqual(expect.arrayContaining(Object.keys(body.error)))
  expect(body.error.requestId).toMatch(/^\S+$/)
  expect(body.error.message).toMatch(/^\S.*\S$/)
  if ('details' in body.error) expect(body.error.details).toBeTypeOf('object')
  expect(answer.text).not.toMatch(/\n\s+at |\.[jt]s:\d+|node_modules|node:internal|\/tmp\/|holdfast-test-/)
  return body.error
}

/** The chunk's bytes of a file. */
export function chunkOf(file: Buffer, chunkSize: number, number: number): Buffer {
  return file.subarray(number * chunkSize, (number + 1) * chunkSize)
}

/** The headers every chunk has. */
export function chunkHeaders(number: number | string): OutgoingHttpHeaders {
  return { 'Content-Type': 'application/octet-stream', 'X-Chunk-Number': String(number) }
}

/** What `sha256sum` prints. */
export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A file that nobody has sent before. */
export function someFile(size: number): Buffer {
  return randomBytes(size)
}

/** The same file with one bit turned over. */
export function otherThan(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes)
  other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
  return other
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
