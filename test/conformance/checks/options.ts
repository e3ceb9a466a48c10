import { list } from '../advertised.ts'
import { type Chapter, given, must } from '../check.ts'
import { OFFSET_OCTET_STREAM, type Session, told } from '../session.ts'
import type { Answer } from '../wire.ts'

const DISCOVERY =
  'A successful response indicated by the `204 No Content` or `200 OK` status MUST contain the `Tus-Version` header.'
const IGNORED =
  'The Client SHOULD NOT include the `Tus-Resumable` header in the request and the Server MUST ignore the header.'
const hello = Buffer.from('hello world')

function discover(tus: Session, version?: string): Promise<Answer> {
  return tus.send('OPTIONS', tus.endpoint, { headers: { 'Tus-Resumable': version } })
}

function isDiscovery({ status, headers }: Answer): boolean {
  return (status === 200 || status === 204) && headers['tus-version'] !== undefined
}

/** What a server that does not advertise an extension must not do. */
function unadvertised(tus: Session, extension: string): void {
  given(!tus.advertised.extensions.has(extension), `${extension} is advertised`)
}

export const options: Chapter = {
  name: 'OPTIONS',
  extension: null,
  checks: [
    {
      title: 'answers OPTIONS with 204 or 200 and Tus-Version',
      level: 'MUST',
      quote: DISCOVERY,
      run: async (tus) => {
        const answer = await discover(tus)
        must(answer.status === 200 || answer.status === 204, `it is answered ${told(answer)}`)
        must(answer.headers['tus-version'] !== undefined, 'there is no Tus-Version')
      },
    },
    {
      title: 'lists 1.0.0 among its versions, and nothing that is no version',
      level: 'MUST',
      quote:
        'The `Tus-Version` response header MUST be a comma-separated list of protocol versions supported by the Server.',
      run: async (tus) => {
        const header = (await discover(tus)).headers['tus-version']
        const versions = list(header)
        must(versions.includes('1.0.0'), `Tus-Version is ${String(header)}`)
        must(
          versions.every((version) => /^\d+\.\d+\.\d+$/.test(version)),
          `Tus-Version is ${String(header)}`,
        )
      },
    },
    {
      title: 'lists its extensions, each once',
      level: 'MUST',
      quote:
        'The `Tus-Extension` response header MUST be a comma-separated list of the extensions supported by the Server.',
      run: async (tus) => {
        const header = (await discover(tus)).headers['tus-extension']
        given(header !== undefined, 'it has no extensions')
        const names = list(header)
        must(
          names.every((name) => /^[a-z-]+$/.test(name)) && new Set(names).size === names.length,
          `Tus-Extension is ${String(header)}`,
        )
      },
    },
    {
      title: 'leaves Tus-Extension out where there are none',
      level: 'MUST',
      quote: 'If no extensions are supported, the `Tus-Extension` header MUST be omitted.',
      run: async (tus) => {
        const header = (await discover(tus)).headers['tus-extension']
        must(header === undefined || list(header).length > 0, 'Tus-Extension is empty')
      },
    },
    {
      title: 'says the maximum size as a whole number',
      level: 'MUST',
      quote:
        'The `Tus-Max-Size` response header MUST be a non-negative integer indicating the maximum allowed size of an entire upload in bytes.',
      run: async (tus) => {
        const header = (await discover(tus)).headers['tus-max-size']
        given(header !== undefined, 'it says no Tus-Max-Size')
        must(/^\d+$/.test(String(header)), `Tus-Max-Size is ${String(header)}`)
      },
    },
    {
      title: 'answers OPTIONS with Tus-Resumable: 1.0.0 as without',
      level: 'MUST',
      quote: IGNORED,
      run: async (tus) => {
        const answer = await discover(tus, '1.0.0')
        must(isDiscovery(answer), `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'answers OPTIONS with a version that it does not speak as without',
      level: 'MUST',
      quote: IGNORED,
      run: async (tus) => {
        const answer = await discover(tus, '0.0.9')
        must(isDiscovery(answer), `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'answers OPTIONS at the address of an upload',
      level: 'MAY',
      quote: "An `OPTIONS` request MAY be used to gather information about the Server's current configuration.",
      run: async (tus) => {
        const answer = await tus.send('OPTIONS', await tus.create(), { headers: { 'Tus-Resumable': undefined } })
        must(isDiscovery(answer), `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'says which extensions it has, so that clients can tell',
      level: 'SHOULD',
      quote:
        'Feature detection SHOULD be achieved by the Client sending an `OPTIONS` request and the Server responding with the `Tus-Extension` header.',
      run: async (tus) => {
        given(isDiscovery(await discover(tus)), 'it does not answer OPTIONS')
        must(tus.advertised.extensions.size > 0, 'there is no Tus-Extension')
      },
    },
    {
      title: 'creates uploads',
      level: 'SHOULD',
      quote: 'The Client and the Server SHOULD implement the upload creation extension.',
      run: async (tus) => {
        must(tus.advertised.extensions.has('creation'), 'creation is not advertised')
      },
    },
    {
      title: 'advertises creation if a POST creates',
      level: 'MUST',
      quote: 'If the Server supports this extension, it MUST add `creation` to the `Tus-Extension` header.',
      run: async (tus) => {
        unadvertised(tus, 'creation')
        const { status } = await tus.post({ headers: { 'Upload-Length': 5 } })
        must(status !== 201, 'a POST creates an upload')
      },
    },
    {
      title: 'advertises creation-with-upload if a POST takes bytes',
      level: 'MUST',
      quote:
        'If the Server supports this extension, it MUST advertise this by including `creation-with-upload` in the `Tus-Extension` header.',
      run: async (tus) => {
        unadvertised(tus, 'creation-with-upload')
        const headers = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': hello.length }
        const answer = await tus.post({ headers, body: hello })
        must(answer.headers['upload-offset'] !== String(hello.length), 'the bytes of a POST are taken')
      },
    },
    {
      title: 'offers creation-with-upload only with creation',
      level: 'MUST',
      quote:
        'Therefore, if the Server does not offer the Creation extension, it MUST NOT offer the Creation With Upload extension either.',
      needs: ['creation-with-upload'],
      run: async (tus) => {
        must(tus.advertised.extensions.has('creation'), 'creation is not advertised')
      },
    },
    {
      title: 'advertises creation-defer-length if a length may be deferred',
      level: 'MUST',
      quote:
        'If the Server supports deferring length, it MUST add `creation-defer-length` to the `Tus-Extension` header.',
      run: async (tus) => {
        unadvertised(tus, 'creation-defer-length')
        const { status } = await tus.post({ headers: { 'Upload-Defer-Length': '1' } })
        must(status !== 201, 'an upload without a length is created')
      },
    },
    {
      title: 'advertises expiration if uploads expire',
      level: 'MUST',
      quote:
        'In order to indicate this behavior to the Client, the Server MUST add `expiration` to the `Tus-Extension` header.',
      run: async (tus) => {
        unadvertised(tus, 'expiration')
        const { headers } = await tus.post({ headers: { 'Upload-Length': 5 } })
        must(headers['upload-expires'] === undefined, 'a creation is answered with Upload-Expires')
      },
    },
    {
      title: 'advertises termination if a DELETE terminates',
      level: 'MUST',
      quote:
        'If this extension is supported by the Server, it MUST be announced by adding `termination` to the `Tus-Extension` header.',
      run: async (tus) => {
        unadvertised(tus, 'termination')
        const url = await tus.create()
        const { status } = await tus.remove(url)
        must(status !== 204 || (await tus.head(url)).status === 200, 'a DELETE terminates')
      },
    },
    {
      title: 'advertises checksum if a wrong one is refused',
      level: 'MUST',
      quote: 'If supported, the Server MUST add `checksum` to the `Tus-Extension` header.',
      run: async (tus) => {
        unadvertised(tus, 'checksum')
        const url = await tus.create()
        const { status } = await tus.patch(url, 0, hello, {
          headers: { 'Upload-Checksum': 'sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=' },
        })
        must(status !== 460, 'a wrong checksum is answered 460')
      },
    },
    {
      title: 'advertises concatenation if uploads are concatenated',
      level: 'MUST',
      quote: 'If the Server supports this extension, it MUST add `concatenation` to the `Tus-Extension` header.',
      run: async (tus) => {
        unadvertised(tus, 'concatenation')
        const partial = await tus.post({ headers: { 'Upload-Length': 1, 'Upload-Concat': 'partial' } })
        if (partial.status !== 201) return
        const url = tus.locationOf(partial)
        await tus.patch(url, 0, Buffer.from('a'))
        const final = await tus.post({ headers: { 'Upload-Concat': `final;${url}` } })
        must(final.status !== 201, 'a final upload is created')
      },
    },
  ],
}
