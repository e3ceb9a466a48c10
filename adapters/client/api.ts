import type {
  InitiatedUpload,
  InitiateRequest,
  ResumedUpload,
  ServerProgress,
  StoredChunk,
  UploadedFile,
  UploadList,
} from './contract.ts'
import { codeOf, ResumableUploadError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import { readAnswer } from './read-answer.ts'
import { isPassing, retryDelay } from './retry.ts'
import type { HttpRequest } from './transport.ts'
import { waitFor } from './wait.ts'

/** What goes with a call. */
export interface CallOptions {
  readonly signal: AbortSignal
  /** The upload's token; null or absent: the login is used. */
  readonly token?: string | null
  /** Told of what makes it wait before it is sent again. */
  readonly onTrouble?: (error: ResumableUploadError, waitMs: number) => void
}

/** What goes with a chunk. */
export interface ChunkOptions extends CallOptions {
  /** SHA-256 in hex. */
  readonly checksum?: string
  /** Told how many bytes have left, where that can be seen; from 0 again when the chunk is sent again. */
  readonly onSent?: (bytes: number) => void
}

interface Call extends Pick<HttpRequest, 'method' | 'body' | 'onSent'> {
  /** Below the API's address. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** What is passing here, beside what always is. */
  readonly alsoPassing?: (error: unknown) => boolean
  /** Whether it is asked again without end while another request holds the upload. */
  readonly patient?: boolean
}

/** The calls of the JSON API, each sent again as long as that may help. */
export class Api {
  readonly #options: ResolvedOptions

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  /** Begins an upload. The same `key` means the same upload. */
  async initiate(request: InitiateRequest, key: string, options: CallOptions): Promise<InitiatedUpload> {
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key }
    const call = { method: 'POST', path: '/initiate', headers, body: JSON.stringify(request) } as const
    return (await this.#call(call, options)) as InitiatedUpload
  }

  async chunk(id: string, number: number, bytes: ArrayBuffer, options: ChunkOptions): Promise<StoredChunk> {
    const { checksum, onSent } = options
    const headers = {
      'Content-Type': 'application/octet-stream',
      'X-Chunk-Number': String(number),
      ...(checksum === undefined ? {} : { 'X-Chunk-Checksum': checksum }),
    }
    // A checksum that does not match is that of these bytes: they were spoiled on their way, and nothing of them was kept.
    const alsoPassing = (error: unknown): boolean => codeOf(error) === 'CHECKSUM_MISMATCH'
    const call = { method: 'POST', path: pathOf(id, '/chunks'), headers, body: bytes, alsoPassing } as const
    return (await this.#call({ ...call, onSent: onSent ?? (() => {}) }, options)) as StoredChunk
  }

  async progress(id: string, options: CallOptions): Promise<ServerProgress> {
    return (await this.#call({ method: 'GET', path: pathOf(id, '/progress') }, options)) as ServerProgress
  }

  /** Makes the file. `waitMs`: how long the server may compute its checksum before it answers. */
  async complete(id: string, options: CallOptions & { readonly waitMs?: number }): Promise<UploadedFile> {
    const { waitMs } = options
    const headers = waitMs === undefined ? {} : { Prefer: `wait=${Math.ceil(waitMs / 1000)}` }
    const call = { method: 'POST', path: pathOf(id, '/complete'), headers, patient: true } as const
    return (await this.#call(call, options)) as UploadedFile
  }

  async resume(id: string, options: CallOptions): Promise<ResumedUpload> {
    return (await this.#call({ method: 'POST', path: pathOf(id, '/resume') }, options)) as ResumedUpload
  }

  async cancel(id: string, options: CallOptions): Promise<void> {
    await this.#call({ method: 'DELETE', path: pathOf(id, '') }, options)
  }

  /** A page of the caller's unfinished uploads. */
  async list(query: Readonly<Record<string, string>>, options: CallOptions): Promise<UploadList> {
    const search = new URLSearchParams(query).toString()
    return (await this.#call({ method: 'GET', path: search === '' ? '' : `?${search}` }, options)) as UploadList
  }

  async #call(call: Call, options: CallOptions): Promise<unknown> {
    const { retry } = this.#options
    for (let attempt = 0; ; ) {
      try {
        return await this.#sendOnce(call, options)
      } catch (error) {
        if (!(error instanceof ResumableUploadError)) throw error
        if (!isPassing(error) && call.alsoPassing?.(error) !== true) throw error
        const waits = call.patient === true && error.code === 'UPLOAD_LOCKED'
        if (!waits && attempt >= retry.retries) throw error
        const waitMs = retryDelay(attempt, retry, error.retryAfterMs)
        if (!waits) attempt += 1
        options.onTrouble?.(error, waitMs)
        // What a server asks for is kept to; a network that is back need not be waited for.
        await waitFor(waitMs, options.signal, error.status === null)
      }
    }
  }

  async #sendOnce(call: Call, options: CallOptions): Promise<unknown> {
    const { token = null } = options
    try {
      return await this.#send(call, options, token ?? (await this.#options.token()))
    } catch (error) {
      // A server may have new keys for its tokens: who can log in may go on.
      const login = token !== null && codeOf(error) === 'UNAUTHENTICATED' ? await this.#options.token() : null
      if (login === null) throw error
      return this.#send(call, options, login)
    }
  }

  async #send(call: Call, { signal }: CallOptions, bearer: string | null): Promise<unknown> {
    const { api, transport, headers } = this.#options
    const url = api + call.path
    const { method, body, onSent } = call
    const answer = await transport({
      method,
      url,
      headers: {
        ...(await headers()),
        ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }),
        ...call.headers,
      },
      ...(body === undefined ? {} : { body }),
      ...(onSent === undefined ? {} : { onSent }),
      signal,
    })
    return readAnswer(answer, url, Date.now())
  }
}

function pathOf(id: string, what: string): string {
  return `/${encodeURIComponent(id)}${what}`
}
