import { setTimeout as delay } from 'node:timers/promises'
import { type Chapter, given, must } from '../check.ts'
import { OFFSET_OCTET_STREAM, type Session, told } from '../session.ts'
import type { Answer } from '../wire.ts'

const IN_PATCH = 'This header MUST be included in every `PATCH` response if the upload is going to expire.'
const IN_POST =
  'If the expiration is known at the creation, the `Upload-Expires` header MUST be included in the response to the initial `POST` request.'
const GONE =
  'If a Client does attempt to resume an upload which has since been removed by the Server, the Server SHOULD respond with the`404 Not Found` or `410 Gone` status.'
const FORMAT =
  'The value of the `Upload-Expires` header MUST be in [RFC 7231](https://tools.ietf.org/html/rfc7231#section-7.1.1.1) datetime format.'
const MEANING = 'The `Upload-Expires` response header indicates the time after which the unfinished upload expires.'
const AVAILABLE = 'The unfinished upload is available until the time specified in `Upload-Expires`.'

/** An expiry that is further away than this is not waited for, ms. */
const PATIENCE_MS = 8000
const hello = Buffer.from('hello world')

function expiryOf({ headers }: Answer): string {
  const expires = headers['upload-expires']
  must(typeof expires === 'string', 'there is no Upload-Expires')
  return expires
}

/** Whether a date is an IMF-fixdate, day of the week and all. */
function isDate(text: string): boolean {
  const date = new Date(text)
  return !Number.isNaN(date.getTime()) && date.toUTCString() === text
}

/** Whether uploads of this server expire at all, by what it says when one is created. */
async function expiring(tus: Session): Promise<string> {
  const answer = await tus.post({ headers: { 'Upload-Length': hello.length } })
  const url = tus.locationOf(answer)
  const first = await tus.patch(url, 0, hello.subarray(0, 1))
  must(
    answer.headers['upload-expires'] !== undefined || first.headers['upload-expires'] !== undefined,
    'neither a creation nor a PATCH is answered with Upload-Expires',
  )
  return url
}

/** An upload whose time is over. */
async function expired(tus: Session): Promise<string> {
  const answer = await tus.post({ headers: { 'Upload-Length': hello.length } })
  const left = Date.parse(expiryOf(answer)) - Date.now()
  given(left <= PATIENCE_MS, `it expires in ${Math.round(left / 1000)} s, which is too long to wait for`)
  // The header has whole seconds, and clocks differ.
  await delay(Math.max(0, left) + 1500)
  return tus.locationOf(answer)
}

export const expiration: Chapter = {
  name: 'expiration',
  extension: 'expiration',
  checks: [
    {
      title: 'says the expiry in its answer to a creation',
      level: 'MUST',
      quote: IN_POST,
      run: async (tus) => void expiryOf(await tus.post({ headers: { 'Upload-Length': 11 } })),
    },
    {
      title: 'says the expiry in its answer to a creation with a part',
      level: 'MUST',
      quote: IN_POST,
      needs: ['creation-with-upload'],
      run: async (tus) => {
        const headers = { 'Upload-Length': 20, 'Content-Type': OFFSET_OCTET_STREAM }
        expiryOf(await tus.post({ headers, body: hello }))
      },
    },
    {
      title: 'says the expiry in its answer to a creation whose length is deferred',
      level: 'MUST',
      quote: IN_POST,
      needs: ['creation-defer-length'],
      run: async (tus) => void expiryOf(await tus.post({ headers: { 'Upload-Defer-Length': '1' } })),
    },
    {
      title: 'says the expiry in its answer to a PATCH',
      level: 'MUST',
      quote: IN_PATCH,
      run: async (tus) => void expiryOf(await tus.patch(await expiring(tus), 1, hello.subarray(1, 5))),
    },
    {
      title: 'says the expiry in its answer to a PATCH at a wrong offset',
      level: 'MUST',
      quote: IN_PATCH,
      run: async (tus) => {
        const answer = await tus.patch(await expiring(tus), 7, hello.subarray(7))
        must(answer.status === 409, `it is answered ${told(answer)}`)
        expiryOf(answer)
      },
    },
    {
      title: 'says the expiry in its answer to a PATCH of another type',
      level: 'MUST',
      quote: IN_PATCH,
      run: async (tus) => {
        const headers = { 'Content-Type': 'text/plain' }
        expiryOf(await tus.patch(await expiring(tus), 1, hello.subarray(1), { headers }))
      },
    },
    {
      title: 'says the expiry in its answer to a wrong checksum',
      level: 'MUST',
      quote: IN_PATCH,
      needs: ['checksum'],
      run: async (tus) => {
        const headers = { 'Upload-Checksum': 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }
        expiryOf(await tus.patch(await expiring(tus), 1, hello.subarray(1), { headers }))
      },
    },
    {
      title: 'writes the expiry of a creation as a date of HTTP',
      level: 'MUST',
      quote: FORMAT,
      run: async (tus) => {
        const expires = expiryOf(await tus.post({ headers: { 'Upload-Length': 11 } }))
        must(isDate(expires), `Upload-Expires is ${expires}`)
      },
    },
    {
      title: 'writes the expiry after a PATCH as a date of HTTP',
      level: 'MUST',
      quote: FORMAT,
      run: async (tus) => {
        const expires = expiryOf(await tus.patch(await expiring(tus), 1, hello.subarray(1, 5)))
        must(isDate(expires), `Upload-Expires is ${expires}`)
      },
    },
    {
      title: 'says a time that is yet to come',
      level: 'MUST',
      quote: MEANING,
      run: async (tus) => {
        const answer = await tus.post({ headers: { 'Upload-Length': 11 } })
        const now = Date.parse(answer.headers.date ?? '') || Date.now()
        const expires = expiryOf(answer)
        must(Date.parse(expires) > now, `Upload-Expires is ${expires}`)
      },
    },
    {
      title: 'keeps the upload until then',
      level: 'MUST',
      quote: AVAILABLE,
      run: async (tus) => {
        const url = await expiring(tus)
        await tus.append(url, 1, hello.subarray(1))
        await tus.mustBeAt(url, hello.length)
      },
    },
    {
      title: 'answers 404 or 410 to HEAD when the time is over',
      level: 'SHOULD',
      quote: GONE,
      run: async (tus) => {
        const { status } = await tus.head(await expired(tus))
        must(status === 404 || status === 410, `it is answered ${status}`)
      },
    },
    {
      title: 'answers 404 or 410 to PATCH when the time is over',
      level: 'SHOULD',
      quote: GONE,
      run: async (tus) => {
        const answer = await tus.patch(await expired(tus), 0, hello)
        must(answer.status === 404 || answer.status === 410, `it is answered ${told(answer)}`)
      },
    },
  ],
}
