import { scope } from './browser-scope.ts'
import { fetchTransport } from './fetch-transport.ts'
import type { UploadProgress } from './progress.ts'
import type { RetryPolicy } from './retry.ts'
import { sha256, type Sha256 } from './sha256.ts'
import { withStallGuard } from './stall-guard.ts'
import type { UploadStorage } from './storage.ts'
import type { Credentials, Transport } from './transport.ts'
import { browserStorage } from './web-storage.ts'
import { xhrTransport } from './xhr-transport.ts'

type MaybePromise<T> = T | Promise<T>

/** Options of a `ResumableUploader`. */
export interface ResumableUploaderOptions {
  /** Path of the JSON API on the server. @default '/api/v1/uploads' */
  readonly apiPrefix?: string
  /**
   * The login, sent as `Authorization: Bearer …`. It is asked for anew for each request that needs it: once an upload has
   * begun its own token does, where the server gave one. @default none
   */
  readonly getToken?: () => MaybePromise<string | null>
  /** Sent with every request, or made for each. @default none */
  readonly headers?: Readonly<Record<string, string>> | (() => MaybePromise<Readonly<Record<string, string>>>)
  /** Whether cookies go along. @default 'same-origin' */
  readonly credentials?: Credentials
  /** Sends the requests. Without one, browsers use XMLHttpRequest for chunks, as it tells how much has left. @default fetch */
  readonly fetch?: typeof fetch
  /** Chunks of one upload that are sent at a time; so many are in memory. @default 3 */
  readonly parallel?: number
  /** Bytes of a chunk to ask for. @default the server decides */
  readonly chunkSize?: number
  /** How often one request is sent again after no answer, 408, 423, 429 or 5xx. @default 10 */
  readonly retries?: number
  /** Longest wait before the first repetition, ms. It doubles with each; `Retry-After` is obeyed. @default 500 */
  readonly retryDelayMs?: number
  /** Longest of these waits, ms. @default 30 000 */
  readonly maxRetryDelayMs?: number
  /** How long nothing may move on a request, ms. @default 60 000 */
  readonly stallTimeoutMs?: number
  /**
   * How long to wait, when all is there, for the checksum of a large file, ms; after that the result says
   * `checksumStatus: "computing"`. @default 120 000
   */
  readonly checksumTimeoutMs?: number
  /**
   * Where is remembered what was begun, so that it goes on after a reload; null: nowhere.
   * @default localStorage in browsers, else null
   */
  readonly storage?: UploadStorage | null
  /** Hashes chunks. @default WebCrypto, and where a browser hides that from insecure pages, JavaScript */
  readonly sha256?: Sha256
  /** Told how far each upload is. Assigning or overriding `onProgress` of the uploader does the same. */
  readonly onProgress?: (progress: UploadProgress) => void
}

/** Options, checked and filled. */
export interface ResolvedOptions {
  /** Address of the JSON API, without a slash at its end. */
  readonly api: string
  readonly transport: Transport
  readonly headers: () => Promise<Readonly<Record<string, string>>>
  readonly token: () => Promise<string | null>
  readonly retry: RetryPolicy
  readonly parallel: number
  readonly chunkSize: number | null
  readonly checksumTimeoutMs: number
  readonly storage: UploadStorage | null
  readonly sha256: Sha256
}

/**
 * Checks the options and fills in defaults. `baseUrl` may be relative, also empty, on a page.
 * @throws TypeError naming what is wrong
 */
export function resolveOptions(baseUrl: string, options: ResumableUploaderOptions): ResolvedOptions {
  const { headers = {}, getToken, storage, stallTimeoutMs = 60_000 } = options
  return {
    api: apiAddress(baseUrl, options.apiPrefix ?? '/api/v1/uploads'),
    transport: transportOf(options, positive('stallTimeoutMs', stallTimeoutMs)),
    headers: async () => (typeof headers === 'function' ? headers() : headers),
    token: async () => (getToken === undefined ? null : getToken()),
    retry: {
      retries: atLeast(0, 'retries', options.retries ?? 10),
      retryDelayMs: atLeast(0, 'retryDelayMs', options.retryDelayMs ?? 500),
      maxRetryDelayMs: atLeast(0, 'maxRetryDelayMs', options.maxRetryDelayMs ?? 30_000),
    },
    parallel: positive('parallel', options.parallel ?? 3),
    chunkSize: options.chunkSize === undefined ? null : positive('chunkSize', options.chunkSize),
    checksumTimeoutMs: atLeast(0, 'checksumTimeoutMs', options.checksumTimeoutMs ?? 120_000),
    storage: storage === undefined ? browserStorage() : storage,
    sha256: options.sha256 ?? sha256,
  }
}

function apiAddress(baseUrl: string, prefix: string): string {
  const text = `${baseUrl.replace(/\/+$/, '')}/${prefix.replace(/^\/+|\/+$/g, '')}`
  const base = scope.document?.baseURI
  if (!URL.canParse(text, base)) {
    throw new TypeError(
      `holdfast: \`baseUrl\` is ${JSON.stringify(baseUrl)}: give the server's address, as https://uploads.example.com`,
    )
  }
  return new URL(text, base).href
}

function transportOf(
  { fetch: own, credentials = 'same-origin' }: ResumableUploaderOptions,
  stallMs: number,
): Transport {
  // Not kept as it is: a browser's fetch wants to be called on nothing.
  const plain = withStallGuard(
    fetchTransport(own ?? ((url, init) => scope.fetch(url, init)), credentials),
    stallMs,
    false,
  )
  if (own !== undefined || scope.XMLHttpRequest === undefined || credentials === 'omit') return plain
  const seeing = withStallGuard(xhrTransport(scope.XMLHttpRequest, credentials), stallMs, true)
  return (request) => (request.onSent === undefined ? plain(request) : seeing(request))
}

function positive(name: string, value: number): number {
  return atLeast(1, name, value)
}

function atLeast(least: number, name: string, value: number): number {
  if (typeof value === 'number' && value >= least) return value
  throw new TypeError(`holdfast: \`${name}\` is ${String(value)}: give a number of ${least} or more`)
}
