import type { Call } from './access-calls.ts'

/** A request as bytes, and what may come of it. */
export interface Trick {
  readonly name: string
  /** The bytes, with lines that say who asks. */
  readonly bytes: (identity: readonly string[]) => Buffer
  /** What stands in the place of the path. */
  readonly target: string
  /** The success that anybody may have: of OPTIONS, and of what is open. */
  readonly open: number | null
}

interface Parts {
  readonly method?: string
  readonly target?: string
  /** Lines of the head after those of the call. */
  readonly lines?: readonly string[]
  readonly hosts?: readonly string[]
  readonly version?: string
  /** Lines that say who asks come with these, or in another place. */
  readonly wrap?: (identity: readonly string[]) => readonly string[]
  /** Rewrites the whole text. */
  readonly rewrite?: (text: string) => string
  readonly body?: string
  /** Whether it asks what anybody may be told. */
  readonly open?: boolean
}

/** Paths that anybody may ask for. */
const OPEN: readonly string[] = ['/', '/healthz', '/documentation']

/** Whether a target is one of these; without a path it is the page at `/`, whatever its query says. */
function isOpen(target: string): boolean {
  return OPEN.includes(target) || target === '*' || /^https?:\/\/[^/?#]+(?:[?#]|$)/i.test(target)
}

/** A call with something about it changed. */
export function trick(name: string, call: Call, host: string, parts: Parts = {}): Trick {
  const { method = call.method, target = call.path, lines = [], hosts = [host], version = ' HTTP/1.1' } = parts
  const { wrap = (identity) => identity, rewrite = (text) => text, body = call.body } = parts
  return {
    name: `${call.method} ${call.path}, ${name}`,
    target,
    open: parts.open === true || method === 'OPTIONS' ? 204 : isOpen(target) ? 200 : null,
    bytes: (identity) => {
      const head = [
        `${method} ${target}${version}`,
        ...hosts.map((one) => `Host: ${one}`),
        'Connection: close',
        ...Object.entries(call.headers).map(([key, value]) => `${key}: ${value}`),
        ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
        ...wrap(identity),
        ...lines,
      ]
      return Buffer.from(rewrite(`${head.join('\r\n')}\r\n\r\n${body ?? ''}`))
    },
  }
}

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'QUERY',
  'PROPFIND',
  'SEARCH',
  'LOCK',
]

/** Headers in which some servers look for the path, or the method, that is meant. */
const PATH_HEADERS = [
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-Original-URI',
  'X-Forwarded-Uri',
  'X-Forwarded-Path',
  'X-Forwarded-Prefix',
  'X-Override-URL',
  'X-HTTP-DestinationURL',
  'Destination',
  'Referer',
]
const METHOD_HEADERS = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Method']

/** What somebody may claim to be, or to come from. */
const CLAIMS = [
  ...['X-Forwarded-For', 'X-Real-IP', 'X-Client-IP', 'True-Client-IP', 'X-Remote-Addr'].map(
    (name) => `${name}: 127.0.0.1`,
  ),
  ...[
    'X-Forwarded-User',
    'X-Remote-User',
    'Remote-User',
    'X-User',
    'X-Authenticated-User',
    'X-Auth-Request-User',
    'From',
  ].map((name) => `${name}: ann`),
  'X-Forwarded-Host: 127.0.0.1',
  'X-Forwarded-Proto: https',
  'Forwarded: for=127.0.0.1;host=localhost;proto=https',
  'Via: 1.1 localhost',
  'Cookie: user=ann; session=ann',
  'Authorization: Bearer',
  'Authorization: Bearer ann',
  'Authorization: Bearer null',
  'Authorization: Bearer undefined',
  'Authorization: Bearer [object Object]',
  'Authorization: Basic YW5uOmFubg==',
  'Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.',
  'Authorization: ann',
  'X-API-Key: ann',
  'X-API-Key:',
  'X-API-Key: __proto__',
  'X-API-Key: *',
  'X-Api-Key: %00',
]

/** What asks about a file, and may be answered before anybody asks whose it is. */
const CONDITIONS = [
  'If-None-Match: *',
  'If-Match: *',
  'If-Match: "x"',
  'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT',
  'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'Range: bytes=0-0',
  'Range: bytes=999-',
  'Range: bytes=-1',
  'Prefer: wait=0',
  'Want-Repr-Digest: sha-256=10',
  'Idempotency-Key: x',
  'Upload-Offset: 999',
  'Upload-Length: 999',
  'X-Chunk-Number: 999',
  'Tus-Resumable: 0.0.1',
]

/** Everything about a request but its path. */
export function requestTricks(call: Call, host: string): readonly Trick[] {
  const of = (name: string, parts: Parts): Trick => trick(name, call, host, parts)
  const hidden = `${call.method} ${call.path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  return [
    ...METHODS.map((method) => of(`by ${method}`, { method })),
    ...['get', 'Get', 'GETS', 'G\u0000ET', '', 'CONNECT'].map((method) =>
      of(`by ${JSON.stringify(method)}`, { method }),
    ),
    ...METHOD_HEADERS.flatMap((name) =>
      ['GET', 'POST', 'OPTIONS', 'HEAD'].map((method) =>
        of(`${method} with ${name}`, { method, lines: [`${name}: ${call.method}`] }),
      ),
    ),
    ...['OPTIONS', 'options', 'GET', 'HEAD', 'PATCH', 'DELETE', 'CONNECT'].map((method) =>
      of(`that means ${method}`, {
        lines: [`X-HTTP-Method-Override: ${method}`],
        open: method.toUpperCase() === 'OPTIONS',
      }),
    ),
    ...PATH_HEADERS.flatMap((name) => [
      ...OPEN.map((target) => of(`${name} of ${target}`, { target, lines: [`${name}: ${call.path}`] })),
      of(`${name} to /healthz`, { lines: [`${name}: /healthz`] }),
    ]),
    ...['OPTIONS', call.method].map((method) =>
      of(`preflight by ${method}`, {
        method,
        lines: ['Origin: https://app.example', `Access-Control-Request-Method: ${call.method}`],
      }),
    ),
    of('preflight that means another method', {
      method: 'OPTIONS',
      lines: ['Origin: null', 'Access-Control-Request-Method: GET', `X-HTTP-Method-Override: ${call.method}`],
    }),
    ...[' HTTP/1.0', ' HTTP/0.9', ' HTTP/1.2', ' HTTP/2.0', ' http/1.1', '', ' HTTP/1.1 ', '  HTTP/1.1'].map(
      (version) => of(`of version ${JSON.stringify(version)}`, { version }),
    ),
    of('of HTTP/1.0 without a Host', { version: ' HTTP/1.0', hosts: [] }),
    ...[
      [],
      [''],
      [host, 'evil.example'],
      ['evil.example'],
      ['localhost/healthz'],
      [`ann@${host}`],
      [`http://${host}`],
      ['*'],
    ].map((hosts) => of(`of Host ${JSON.stringify(hosts)}`, { hosts })),
    ...CLAIMS.map((claim) => of(claim, { lines: [claim] })),
    ...CLAIMS.map((claim) => of(`first ${claim}`, { wrap: (identity) => [claim, ...identity] })),
    ...CONDITIONS.map((line) => of(line, { lines: [line] })),
    ...['X-API-Key', 'Authorization', 'X-Session', 'close, X-API-Key'].map((name) =>
      of(`Connection: ${name}`, { lines: [`Connection: ${name}`] }),
    ),
    of('who asks said twice', { wrap: (identity) => [...identity, ...identity] }),
    of('who asks in folded lines', { wrap: (identity) => identity.map((line) => line.replace(': ', ':\r\n ')) }),
    of('who asks with a space before the colon', {
      wrap: (identity) => identity.map((line) => line.replace(':', ' :')),
    }),
    of('who asks in a trailer', {
      wrap: () => [],
      lines: ['Transfer-Encoding: chunked', 'Trailer: X-API-Key'],
      rewrite: (text) =>
        `${text.replace(/Content-Length: \d+\r\n/, '').replace(/\r\n\r\n.*$/s, '\r\n\r\n')}0\r\nX-API-Key: ann\r\n\r\n`,
    }),
    of('with an empty line before', { rewrite: (text) => `\r\n\r\n${text}` }),
    of('with a space before', { rewrite: (text) => ` ${text}` }),
    of('with tabs in the first line', { rewrite: (text) => text.replace(' ', '\t').replace(' HTTP', '\tHTTP') }),
    of('with two spaces in the first line', { rewrite: (text) => text.replace(' ', '  ') }),
    of('with line feeds alone', { rewrite: (text) => text.replaceAll('\r\n', '\n') }),
    of('with carriage returns alone', { rewrite: (text) => text.replaceAll('\r\n', '\r') }),
    ...[
      'Content-Length: 0',
      'Content-Length: -1',
      'Content-Length: +5',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding: identity',
      'Transfer-Encoding : chunked',
    ].map((line) => of(line, { lines: [line] })),
    // With the end of such a body: what is not whole is not answered.
    of('Transfer-Encoding: chunked', { lines: ['Transfer-Encoding: chunked'], rewrite: (text) => `${text}0\r\n\r\n` }),
    of('behind another in its body', {
      method: 'POST',
      target: '/healthz',
      body: hidden,
    }),
    of('behind another that says to have no body', {
      method: 'GET',
      target: '/healthz',
      body: '',
      rewrite: (text) =>
        `${text.replace(/\r\n\r\n.*$/s, '\r\n\r\n').replace('Connection: close', 'Connection: keep-alive')}${hidden}`,
    }),
    of('that expects to be let on', { lines: ['Expect: 100-continue'] }),
    of('that expects what there is not', { lines: ['Expect: 200-ok'] }),
    ...['h2c', 'websocket', 'TLS/1.2'].map((protocol) =>
      of(`that upgrades to ${protocol}`, {
        lines: [`Upgrade: ${protocol}`, 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABk'],
      }),
    ),
  ]
}
