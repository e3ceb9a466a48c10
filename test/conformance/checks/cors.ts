import { list } from '../advertised.ts'
import { type Chapter, type Check, given, must } from '../check.ts'
import { OFFSET_OCTET_STREAM, type Session } from '../session.ts'
import type { Answer } from '../wire.ts'

const SHARED =
  '`Access-Control-Allow-Origin` Indicates whether the response can be shared, via returning the literal value of the `Origin` request header (which can be `null`) or `*` in a response.'
const METHODS =
  "`Access-Control-Allow-Methods` Indicates which methods are supported by the response's URL for the purposes of the CORS protocol."
const HEADERS =
  "`Access-Control-Allow-Headers` Indicates which headers are supported by the response's URL for the purposes of the CORS protocol."
const EXPOSED =
  '`Access-Control-Expose-Headers` Indicates which headers can be exposed as part of the response by listing their names.'

const ORIGIN = 'https://page.example'
const origin = { Origin: ORIGIN }
const hello = Buffer.from('hello')

/** What clients in a page send, beyond what every page may. */
const SENT = [
  'content-type',
  'tus-resumable',
  'upload-length',
  'upload-metadata',
  'upload-offset',
  'x-http-method-override',
  'x-request-id',
  'x-requested-with',
]
/** What goes with an extension. */
const SENT_WITH = {
  'creation-defer-length': 'upload-defer-length',
  concatenation: 'upload-concat',
  checksum: 'upload-checksum',
} as const
const READ = ['location', 'tus-resumable', 'upload-length', 'upload-metadata', 'upload-offset']
const READ_WITH = {
  'creation-defer-length': 'upload-defer-length',
  concatenation: 'upload-concat',
  expiration: 'upload-expires',
} as const

/** A preflight as a browser sends it: without whatever says who asks, and without Tus-Resumable. */
function preflight(tus: Session, url: string, method: string, headers = SENT): Promise<Answer> {
  return tus.send('OPTIONS', url, {
    headers: {
      ...origin,
      'Tus-Resumable': undefined,
      Authorization: undefined,
      Cookie: undefined,
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': headers.join(','),
    },
  })
}

function isShared({ headers }: Answer): boolean {
  const allowed = headers['access-control-allow-origin']
  return allowed === '*' || allowed === ORIGIN
}

async function offersCors(tus: Session): Promise<void> {
  given(isShared(await preflight(tus, tus.endpoint, 'POST')), 'it answers pages of other origins nothing')
}

function names(header: string | string[] | undefined): string[] {
  return list(header).map((name) => name.toLowerCase())
}

/** Answers of every kind, by what was asked. */
const ANSWERS: Readonly<Record<string, (tus: Session) => Promise<Answer>>> = {
  'a creation': (tus) => tus.post({ headers: { ...origin, 'Upload-Length': 5 } }),
  HEAD: async (tus) => tus.head(await tus.create(), origin),
  PATCH: async (tus) => tus.patch(await tus.create(), 0, hello, { headers: origin }),
  'the question what it can do': (tus) =>
    tus.send('OPTIONS', tus.endpoint, { headers: { ...origin, 'Tus-Resumable': undefined } }),
  'a creation that is refused': (tus) => tus.post({ headers: { ...origin, 'Upload-Length': 'x' } }),
  'HEAD of an upload that is not there': async (tus) => tus.head(await tus.nowhere(), origin),
  'PATCH at a wrong offset': async (tus) => tus.patch(await tus.create(), 3, hello, { headers: origin }),
  'a version that it does not speak': (tus) =>
    tus.post({ headers: { ...origin, 'Upload-Length': 5, 'Tus-Resumable': '0.0.9' } }),
  'PATCH of another type': async (tus) =>
    tus.patch(await tus.create(), 0, hello, { headers: { ...origin, 'Content-Type': 'text/plain' } }),
}

function allows(header: string, extension?: keyof typeof SENT_WITH): Check {
  return {
    title: `lets pages send ${header}`,
    level: 'BROWSER',
    quote: HEADERS,
    ...(extension === undefined ? {} : { needs: [extension] }),
    run: async (tus) => {
      await offersCors(tus)
      const answer = await preflight(tus, tus.endpoint, 'POST', [header])
      const allowed = names(answer.headers['access-control-allow-headers'])
      must(allowed.includes(header) || allowed.includes('*'), `it allows ${allowed.join(', ')}`)
    },
  }
}

function exposes(header: string, extension?: keyof typeof READ_WITH): Check {
  return {
    title: `lets pages read ${header}`,
    level: 'BROWSER',
    quote: EXPOSED,
    ...(extension === undefined ? {} : { needs: [extension] }),
    run: async (tus) => {
      await offersCors(tus)
      const { headers } = await tus.post({ headers: { ...origin, 'Upload-Length': 5 } })
      const exposed = names(headers['access-control-expose-headers'])
      must(exposed.includes(header) || exposed.includes('*'), `it exposes ${exposed.join(', ')}`)
    },
  }
}

export const cors: Chapter = {
  name: 'CORS',
  extension: null,
  checks: [
    ...(['POST', 'HEAD', 'PATCH', 'DELETE'] as const).map(
      (method): Check => ({
        title: `lets pages send ${method}`,
        level: 'BROWSER',
        quote: METHODS,
        ...(method === 'DELETE' ? { needs: ['termination'] } : {}),
        run: async (tus) => {
          await offersCors(tus)
          const url = method === 'POST' ? tus.endpoint : await tus.create()
          const answer = await preflight(tus, url, method)
          must(answer.status >= 200 && answer.status < 300, `the preflight is answered ${answer.status}`)
          must(isShared(answer), 'the preflight does not allow the origin')
          const allowed = names(answer.headers['access-control-allow-methods'])
          must(allowed.includes(method.toLowerCase()) || allowed.includes('*'), `it allows ${allowed.join(', ')}`)
        },
      }),
    ),
    ...SENT.map((header) => allows(header)),
    ...(Object.keys(SENT_WITH) as (keyof typeof SENT_WITH)[]).map((name) => allows(SENT_WITH[name], name)),
    ...READ.map((header) => exposes(header)),
    ...(Object.keys(READ_WITH) as (keyof typeof READ_WITH)[]).map((name) => exposes(READ_WITH[name], name)),
    ...Object.entries(ANSWERS).map(
      ([what, ask]): Check => ({
        title: `lets pages see its answer to ${what}`,
        level: 'BROWSER',
        quote: SHARED,
        run: async (tus) => {
          await offersCors(tus)
          must(isShared(await ask(tus)), 'the answer does not allow the origin')
        },
      }),
    ),
    {
      title: 'lets pages see its answer to a creation with bytes',
      level: 'BROWSER',
      quote: SHARED,
      needs: ['creation-with-upload'],
      run: async (tus) => {
        await offersCors(tus)
        const headers = { ...origin, 'Upload-Length': 5, 'Content-Type': OFFSET_OCTET_STREAM }
        must(isShared(await tus.post({ headers, body: hello })), 'the answer does not allow the origin')
      },
    },
  ],
}
