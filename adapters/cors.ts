import type { IncomingMessage } from 'node:http'

/** Which web pages of other origins may use the server. */
export interface CorsOptions {
  /** `*`, or the origins as browsers send them: `https://app.example.com`. */
  readonly origins: '*' | readonly string[]
  /** Whether cookies and HTTP authentication may come along. Needs named origins. */
  readonly credentials: boolean
  /** More request headers that pages may send, such as one that an application's own authentication reads. @default none */
  readonly requestHeaders?: readonly string[]
}

/** What CORS reads of a request. */
export interface CorsRequest {
  readonly method: string
  readonly origin: string | undefined
  readonly requestMethod: string | undefined
  /** Whether a page of a public network asks for a server of a private one. @default false */
  readonly privateNetwork?: boolean
}

/** Reads what CORS wants to know of a request. */
export function corsRequest({ method, headers }: IncomingMessage): CorsRequest {
  return {
    method: method ?? 'GET',
    origin: headers.origin,
    requestMethod: headers['access-control-request-method'],
    privateNetwork: headers['access-control-request-private-network'] === 'true',
  }
}

const METHODS = 'GET, HEAD, POST, PATCH, DELETE, OPTIONS'

/** What tus 1.0, the JSON API, RFC 9530 digests and conditional downloads send beyond what every page may. */
export const REQUEST_HEADERS: readonly string[] = [
  'Authorization',
  'Content-Type',
  'Content-Digest',
  'Idempotency-Key',
  'If-Match',
  'If-Modified-Since',
  'If-None-Match',
  'If-Range',
  'If-Unmodified-Since',
  'Last-Event-ID',
  'Prefer',
  'Range',
  'Repr-Digest',
  'Tus-Resumable',
  'Upload-Checksum',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'Want-Content-Digest',
  'Want-Repr-Digest',
  'X-API-Key',
  'X-Chunk-Checksum',
  'X-Chunk-Number',
  'X-HTTP-Method-Override',
  'X-Request-ID',
  'X-Requested-With',
]

/** What pages may read beyond what every page may. */
export const EXPOSED_HEADERS: readonly string[] = [
  'Accept-Ranges',
  'Allow',
  'Content-Digest',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Location',
  'Preference-Applied',
  'Repr-Digest',
  'Retry-After',
  'Tus-Checksum-Algorithm',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Checksum',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'WWW-Authenticate',
  // Of @fastify/rate-limit.
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'X-Request-ID',
]

const EXPOSED = EXPOSED_HEADERS.join(', ')

/** How long a browser may remember a preflight's answer, seconds: none remembers for longer than a day. */
const MAX_AGE_S = 86_400

/**
 * Checks the options.
 * @throws TypeError naming what is wrong
 */
export function checkCorsOptions({ origins, credentials }: CorsOptions): void {
  if (origins === '*') {
    if (credentials)
      throw new TypeError('holdfast: `cors.credentials` needs `cors.origins` to name the origins, not `*`')
    return
  }
  for (const origin of origins) {
    if (!isOrigin(origin)) {
      throw new TypeError(
        `holdfast: \`cors.origins\` has ${JSON.stringify(origin)}: an origin is a scheme and a host such as https://app.example.com, without a path`,
      )
    }
  }
}

/** Whether a text is an origin as a browser writes it in `Origin`. */
function isOrigin(text: string): boolean {
  // An asterisk may stand in a host's name, but no browser sends one: it was meant as a pattern, and would match nothing.
  const url = URL.canParse(text) && !text.includes('*') ? new URL(text) : null
  // Schemes of installed apps (`capacitor://localhost`) are opaque to WHATWG URLs, whose `origin` is then "null".
  return url !== null && (url.origin === text || (url.origin === 'null' && `${url.protocol}//${url.host}` === text))
}

/** Whether a request asks what it may do, and nothing else. A discovery OPTIONS of tus names no method and is none. */
export function isPreflight(request: CorsRequest): boolean {
  return request.method === 'OPTIONS' && request.origin !== undefined && request.requestMethod !== undefined
}

/**
 * The headers of a preflight's answer, which is 204 without a body, before anybody is asked who they are. Of an OPTIONS that
 * asks what the server can do too: it has the same address, and some proxies make one of the other.
 */
export function preflightHeaders(options: CorsOptions, request: CorsRequest): Record<string, string> {
  const origin = originHeaders(options, request.origin)
  if (origin['Access-Control-Allow-Origin'] === undefined) return origin
  return {
    ...origin,
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Allow-Headers': [...REQUEST_HEADERS, ...(options.requestHeaders ?? [])].join(', '),
    'Access-Control-Max-Age': String(MAX_AGE_S),
    // Whoever may use the server from everywhere may use it from a public network.
    ...(request.privateNetwork === true ? { 'Access-Control-Allow-Private-Network': 'true' } : {}),
  }
}

/** The headers that every other answer carries too, errors included: a page reads nothing without them. */
export function corsHeaders(options: CorsOptions, request: CorsRequest): Record<string, string> {
  const origin = originHeaders(options, request.origin)
  if (origin['Access-Control-Allow-Origin'] === undefined) return origin
  return { ...origin, 'Access-Control-Expose-Headers': EXPOSED }
}

function originHeaders({ origins, credentials }: CorsOptions, origin: string | undefined): Record<string, string> {
  if (origins === '*') return { 'Access-Control-Allow-Origin': '*' }
  // Also where the origin is not allowed or not there: a cache must not hand that answer to a page that may read it.
  const vary = { Vary: 'Origin' }
  if (origin === undefined || !origins.includes(origin)) return vary
  return {
    ...vary,
    'Access-Control-Allow-Origin': origin,
    ...(credentials ? { 'Access-Control-Allow-Credentials': 'true' } : {}),
  }
}
