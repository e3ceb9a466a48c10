import { randomBytes } from 'node:crypto'
import { type Chapter, type Check, given, must } from '../check.ts'
import { mustRefuse, OFFSET_OCTET_STREAM, type Session, told } from '../session.ts'
import type { Answer, SentHeaders } from '../wire.ts'

const PARTIAL =
  'It is constructed by including the `Upload-Concat: partial` header while creating a new upload using the [Creation](#creation) extension.'
const FINAL =
  'The value MUST be `final` followed by a semicolon and a space-separated list of the partial upload URLs that need to be concatenated.'
const SUM = 'The length of the final upload MUST be the sum of the length of all partial uploads.'
const ORDER = 'The partial uploads MUST be concatenated as per the order specified in the list.'
const NO_LENGTH = 'The Client MUST NOT include the `Upload-Length` header in the final upload creation.'
const UNFINISHED =
  'The Client MAY send the concatenation request while the partial uploads are still in progress. This feature MUST be explicitly announced by the Server by adding `concatenation-unfinished` to the `Tus-Extension` header.'
const NOT_TRANSFERRED =
  "When creating a new final upload the partial uploads' metadata SHALL NOT be transferred to the new final upload."
const OWN_METADATA = 'All metadata SHOULD be included in the concatenation request using the `Upload-Metadata` header.'
const AGAIN = 'They MAY however be used multiple times to form a final resource.'
const FORBIDDEN =
  'The Server MUST respond with the `403 Forbidden` status to `PATCH` requests against a final upload URL and MUST NOT modify the final or its partial uploads.'
const NO_OFFSET =
  'The response to a HEAD request for a final upload SHOULD NOT contain the `Upload-Offset` header unless the concatenation has been successfully finished.'
const EQUAL =
  'After successful concatenation, the `Upload-Offset` and `Upload-Length` MUST be set and their values MUST be equal.'
const PARTIAL_OFFSET = 'The response to a HEAD request for a partial upload MUST contain the `Upload-Offset` header.'
const CALCULATED =
  'The `Upload-Length` header MUST be included if the length of the final resource can be calculated at the time of the request.'
const AS_RECEIVED =
  'Response to `HEAD` request against partial or final upload MUST include the `Upload-Concat` header and its value as received in the upload creation request.'
const ITS_VALUE = 'If the upload is a partial one, the header value MUST be `partial`.'
const URLS =
  'The partial uploads URLs MAY be absolute or relative and MUST NOT contain spaces as defined in [RFC 3986](https://tools.ietf.org/html/rfc3986).'
const LOCATION = 'The Server MUST set the `Location` header to the URL of the created resource.'

const hello = Buffer.from('hello')
const world = Buffer.from(' world')
const partial = { 'Upload-Concat': 'partial' }

function path(url: string): string {
  return new URL(url).pathname
}

function post(tus: Session, urls: readonly string[], headers: SentHeaders = {}): Promise<Answer> {
  return tus.post({ headers: { 'Upload-Concat': `final;${urls.join(' ')}`, ...headers } })
}

/** A final upload of partial ones; its address. */
async function concatenate(tus: Session, urls: readonly string[], headers: SentHeaders = {}): Promise<string> {
  const answer = await post(tus, urls, headers)
  must(answer.status === 201, `a final upload is answered ${told(answer)}`)
  return tus.locationOf(answer)
}

/** Partial uploads of these bytes. */
function partials(tus: Session, ...all: readonly Uint8Array[]): Promise<string[]> {
  return Promise.all(all.map((bytes) => tus.createFull(bytes, partial)))
}

/** `hello` and ` world`, and the final upload of both. */
async function helloWorld(tus: Session): Promise<readonly [final: string, ...partials: string[]]> {
  const urls = await partials(tus, hello, world)
  return [await concatenate(tus, urls), ...urls]
}

async function mustBeComplete(tus: Session, url: string, length: number): Promise<void> {
  const { headers } = await tus.status(url)
  must(headers['upload-length'] === String(length), `Upload-Length is ${String(headers['upload-length'])}`)
  must(headers['upload-offset'] === String(length), `Upload-Offset is ${String(headers['upload-offset'])}`)
}

const refused: readonly Check[] = ['final', 'final;', 'partially', 'final /files/a'].map((value) => ({
  title: `refuses Upload-Concat ${JSON.stringify(value)}`,
  level: 'MUST',
  quote: FINAL,
  run: async (tus) => mustRefuse(await tus.post({ headers: { 'Upload-Concat': value, 'Upload-Length': 5 } })),
}))

export const concatenation: Chapter = {
  name: 'concatenation',
  extension: 'concatenation',
  checks: [
    {
      title: 'creates a partial upload',
      level: 'MUST',
      quote: PARTIAL,
      run: async (tus) => {
        const answer = await tus.post({ headers: { ...partial, 'Upload-Length': 5 } })
        must(answer.status === 201, `it is answered ${told(answer)}`)
        await tus.append(tus.locationOf(answer), 0, hello)
      },
    },
    {
      title: 'creates a partial upload with its bytes',
      level: 'MUST',
      quote: PARTIAL,
      needs: ['creation-with-upload'],
      run: async (tus) => {
        const headers = { ...partial, 'Upload-Length': 5, 'Content-Type': OFFSET_OCTET_STREAM }
        const url = tus.locationOf(await tus.post({ headers, body: hello }))
        await mustBeComplete(tus, await concatenate(tus, [url]), 5)
      },
    },
    {
      title: 'says Upload-Concat: partial of a partial upload',
      level: 'MUST',
      quote: ITS_VALUE,
      run: async (tus) => {
        const url = await tus.create({ length: 5, headers: partial })
        const told = (await tus.status(url)).headers['upload-concat']
        must(told === 'partial', `Upload-Concat is ${String(told)}`)
      },
    },
    {
      title: 'says the offset of a partial upload, and goes on with it',
      level: 'MUST',
      quote: PARTIAL_OFFSET,
      run: async (tus) => {
        const url = await tus.create({ length: 5, headers: partial })
        await tus.append(url, 0, hello.subarray(0, 2))
        await tus.mustBeAt(url, 2)
        await tus.append(url, 2, hello.subarray(2))
        await tus.mustBeAt(url, 5)
      },
    },
    {
      title: 'creates a final upload',
      level: 'MUST',
      quote: FINAL,
      run: async (tus) => void (await helloWorld(tus)),
    },
    {
      title: 'says where the final upload is, which is a new one',
      level: 'MUST',
      quote: LOCATION,
      run: async (tus) => {
        const urls = await helloWorld(tus)
        must(new Set(urls).size === 3, 'the final upload has the address of a partial one')
      },
    },
    {
      title: 'takes partial uploads by their paths',
      level: 'MUST',
      quote: URLS,
      run: async (tus) => {
        const urls = await partials(tus, hello, world)
        await mustBeComplete(tus, await concatenate(tus, urls.map(path)), 11)
      },
    },
    {
      title: 'takes partial uploads by their URLs',
      level: 'MUST',
      quote: URLS,
      run: async (tus) => mustBeComplete(tus, await concatenate(tus, await partials(tus, hello, world)), 11),
    },
    {
      title: 'makes a final upload as long as all partial ones',
      level: 'MUST',
      quote: SUM,
      run: async (tus) => {
        const urls = await partials(tus, randomBytes(70_000), Buffer.from('x'), randomBytes(333))
        await mustBeComplete(tus, await concatenate(tus, urls), 70_334)
      },
    },
    {
      title: 'counts a partial upload of no bytes as none',
      level: 'MUST',
      quote: SUM,
      run: async (tus) => {
        const urls = await partials(tus, hello, Buffer.alloc(0), world)
        await mustBeComplete(tus, await concatenate(tus, urls), 11)
      },
    },
    {
      title: 'makes a final upload of one partial one',
      level: 'MUST',
      quote: SUM,
      run: async (tus) => mustBeComplete(tus, await concatenate(tus, await partials(tus, hello)), 5),
    },
    {
      title: 'concatenates in the order of the list',
      level: 'MUST',
      quote: ORDER,
      run: async (tus) => {
        const [a = '', b = '', c = ''] = await partials(tus, Buffer.from('a'), Buffer.from('bb'), Buffer.from('ccc'))
        await tus.mustHold(await concatenate(tus, [c, a, b]), Buffer.from('cccabb'))
      },
    },
    {
      title: 'concatenates 5 MiB, a byte and 6 MiB, and every byte of them',
      level: 'MUST',
      quote: ORDER,
      run: async (tus) => {
        const bytes = [5 * 1024 * 1024, 1, 6 * 1024 * 1024 + 5].map((size) => randomBytes(size))
        const final = await concatenate(tus, await partials(tus, ...bytes))
        const whole = Buffer.concat(bytes)
        await mustBeComplete(tus, final, whole.length)
        await tus.mustHold(final, whole)
      },
    },
    {
      title: 'says offset and length of a final upload, which are equal',
      level: 'MUST',
      quote: EQUAL,
      run: async (tus) => {
        const [final] = await helloWorld(tus)
        await mustBeComplete(tus, final, 11)
      },
    },
    {
      title: 'says Upload-Concat of a final upload as it was received',
      level: 'MUST',
      quote: AS_RECEIVED,
      run: async (tus) => {
        const urls = await partials(tus, hello, world)
        for (const list of [urls, urls.map(path)]) {
          const told = (await tus.status(await concatenate(tus, list))).headers['upload-concat']
          must(told === `final;${list.join(' ')}`, `Upload-Concat is ${String(told)}`)
        }
      },
    },
    {
      title: 'answers 403 to PATCH of a final upload',
      level: 'MUST',
      quote: FORBIDDEN,
      run: async (tus) => {
        const [final] = await helloWorld(tus)
        for (const offset of [0, 11]) {
          const answer = await tus.patch(final, offset, hello)
          must(answer.status === 403, `at offset ${offset} it is answered ${told(answer)}`)
        }
      },
    },
    {
      title: 'changes neither the final nor its partial uploads by a PATCH',
      level: 'MUST',
      quote: FORBIDDEN,
      run: async (tus) => {
        const [final, ...urls] = await helloWorld(tus)
        await tus.patch(final, 0, Buffer.from('XXXXX'))
        await mustBeComplete(tus, final, 11)
        await tus.mustHold(final, Buffer.from('hello world'))
        for (const url of urls) {
          // "The Server MAY delete partial uploads after concatenation."
          const { status, headers } = await tus.head(url)
          if (status === 200) must(headers['upload-offset'] === headers['upload-length'], 'a partial upload changed')
        }
      },
    },
    {
      title: 'does not hand on the metadata of partial uploads',
      level: 'MUST',
      quote: NOT_TRANSFERRED,
      run: async (tus) => {
        const url = await tus.createFull(hello, { ...partial, 'Upload-Metadata': 'filename cGFydA==' })
        const told = (await tus.status(await concatenate(tus, [url]))).headers['upload-metadata']
        must(!String(told).includes('cGFydA=='), `Upload-Metadata is ${String(told)}`)
      },
    },
    {
      title: 'tells the metadata of a final upload',
      level: 'SHOULD',
      quote: OWN_METADATA,
      run: async (tus) => {
        const headers = { 'Upload-Metadata': 'filename ZmluYWw=' }
        const told = (await tus.status(await concatenate(tus, await partials(tus, hello), headers))).headers
        must(told['upload-metadata'] === 'filename ZmluYWw=', `it is ${String(told['upload-metadata'])}`)
      },
    },
    {
      title: 'uses a partial upload for two final ones',
      level: 'MAY',
      quote: AGAIN,
      run: async (tus) => {
        const [a = '', b = ''] = await partials(tus, hello, world)
        await mustBeComplete(tus, await concatenate(tus, [a, b]), 11)
        const other = await concatenate(tus, [b, a])
        await mustBeComplete(tus, other, 11)
        await tus.mustHold(other, Buffer.from(' worldhello'))
      },
    },
    {
      title: 'uses a partial upload twice in one final one',
      level: 'MAY',
      quote: AGAIN,
      run: async (tus) => {
        const [a = ''] = await partials(tus, hello)
        const final = await concatenate(tus, [a, a])
        await mustBeComplete(tus, final, 10)
        await tus.mustHold(final, Buffer.from('hellohello'))
      },
    },
    {
      title: 'takes the sum, and no length that a client sends against the rule',
      level: 'MUST',
      quote: NO_LENGTH,
      run: async (tus) => {
        const answer = await post(tus, await partials(tus, hello, world), { 'Upload-Length': 99 })
        if (answer.status === 201) await mustBeComplete(tus, tus.locationOf(answer), 11)
        else mustRefuse(answer)
      },
    },
    {
      title: 'refuses a final upload of unfinished ones unless it announces that it takes them',
      level: 'MUST',
      quote: UNFINISHED,
      run: async (tus) => {
        given(!tus.advertised.extensions.has('concatenation-unfinished'), 'it takes them')
        const [full = ''] = await partials(tus, hello)
        mustRefuse(await post(tus, [full, await tus.create({ length: 5, headers: partial })]))
      },
    },
    {
      title: 'creates a final upload of unfinished ones, and completes it with them',
      level: 'MUST',
      quote: UNFINISHED,
      needs: ['concatenation-unfinished'],
      run: async (tus) => {
        const [full = ''] = await partials(tus, hello)
        const open = await tus.create({ length: world.length, headers: partial })
        const final = await concatenate(tus, [full, open])
        await tus.append(open, 0, world)
        await mustBeComplete(tus, final, 11)
        await tus.mustHold(final, Buffer.from('hello world'))
      },
    },
    {
      title: 'says the length, and no offset, of a final upload of unfinished ones',
      level: 'SHOULD',
      quote: NO_OFFSET,
      needs: ['concatenation-unfinished'],
      run: async (tus) => {
        const final = await concatenate(tus, [await tus.create({ length: 5, headers: partial })])
        const { headers } = await tus.status(final)
        must(headers['upload-offset'] === undefined, `Upload-Offset is ${String(headers['upload-offset'])}`)
        must(headers['upload-length'] === '5', `Upload-Length is ${String(headers['upload-length'])}`)
      },
    },
    {
      title: 'says the length of a final upload',
      level: 'MUST',
      quote: CALCULATED,
      run: async (tus) => {
        const [final] = await helloWorld(tus)
        const told = (await tus.status(final)).headers['upload-length']
        must(told === '11', `Upload-Length is ${String(told)}`)
      },
    },
    {
      title: 'refuses a final upload of one that is not there',
      level: 'MUST',
      quote: FINAL,
      run: async (tus) => {
        const [a = ''] = await partials(tus, hello)
        const answer = await post(tus, [a, await tus.nowhere()])
        mustRefuse(answer)
        must(answer.headers.location === undefined, 'Location is there')
      },
    },
    {
      title: 'refuses a final upload of one at another place',
      level: 'MUST',
      quote: FINAL,
      run: async (tus) => mustRefuse(await post(tus, ['https://elsewhere.invalid/nothing/x'])),
    },
    {
      title: 'refuses a final upload of one that is not partial',
      level: 'MUST',
      quote: FINAL,
      run: async (tus) => mustRefuse(await post(tus, [await tus.createFull(hello)])),
    },
    ...refused,
    {
      title: 'terminates a final upload',
      level: 'MUST',
      quote:
        'When receiving a `DELETE` request for an existing upload the Server SHOULD free associated resources and MUST respond with the `204 No Content` status confirming that the upload was terminated.',
      needs: ['termination'],
      run: async (tus) => {
        const [final] = await helloWorld(tus)
        const answer = await tus.remove(final)
        must(answer.status === 204, `it is answered ${told(answer)}`)
        must((await tus.head(final)).status !== 200, 'it is still there')
      },
    },
  ],
}
