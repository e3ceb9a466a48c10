import { list } from '../advertised.ts'
import { type Chapter, type Check, must } from '../check.ts'
import { OFFSET_OCTET_STREAM, type Session, told } from '../session.ts'
import type { Answer } from '../wire.ts'

const REFUSED =
  'If the version specified by the Client is not supported by the Server, it MUST respond with the `412 Precondition Failed` status and MUST include the `Tus-Version` header into the response.'
const NOT_PROCESSED = 'In addition, the Server MUST NOT process the request.'
const INCLUDED =
  'The `Tus-Resumable` header MUST be included in every request and response except for `OPTIONS` requests.'
const ITS_VALUE = 'The value MUST be the version of the protocol used by the Client or the Server.'

/** A version of the protocol that no server has. */
const UNKNOWN = '0.0.9'
const hello = Buffer.from('hello world')
const APPEND = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': 0 }

type Ask = (tus: Session, version: string) => Promise<Answer>

const ASKED: Readonly<Record<string, Ask>> = {
  POST: (tus, version) => tus.post({ headers: { 'Upload-Length': 5, 'Tus-Resumable': version } }),
  HEAD: async (tus, version) => tus.head(await tus.create(), { 'Tus-Resumable': version }),
  PATCH: async (tus, version) =>
    tus.send('PATCH', await tus.create(), { headers: { ...APPEND, 'Tus-Resumable': version }, body: hello }),
}

function isRefusal(answer: Answer): void {
  must(answer.status === 412, `it is answered ${told(answer)}`)
  const versions = answer.headers['tus-version']
  must(list(versions).includes('1.0.0'), `Tus-Version is ${String(versions)}`)
}

function refusals(method: string, ask: Ask): Check[] {
  return [UNKNOWN, '1.0', '1.0.0.0'].map((version) => ({
    title: `answers ${method} of version ${version} with 412 and Tus-Version`,
    level: 'MUST',
    quote: REFUSED,
    run: async (tus) => isRefusal(await ask(tus, version)),
  }))
}

/** Answers of every kind, by what was asked. */
const ANSWERS: Readonly<Record<string, (tus: Session) => Promise<Answer>>> = {
  'a creation': (tus) => tus.post({ headers: { 'Upload-Length': 5 } }),
  'a creation that is refused': (tus) => tus.post({ headers: { 'Upload-Length': 'a lot' } }),
  HEAD: async (tus) => tus.head(await tus.create()),
  'HEAD of an upload that is not there': async (tus) => tus.head(await tus.nowhere()),
  PATCH: async (tus) => tus.patch(await tus.create(), 0, hello),
  'PATCH at a wrong offset': async (tus) => tus.patch(await tus.create(), 3, hello),
  'PATCH of an upload that is not there': async (tus) => tus.patch(await tus.nowhere(), 0, hello),
  'a version that it does not speak': (tus) => tus.post({ headers: { 'Upload-Length': 5, 'Tus-Resumable': UNKNOWN } }),
}

export const version: Chapter = {
  name: 'Tus-Resumable',
  extension: null,
  checks: [
    ...Object.entries(ASKED).flatMap(([method, ask]) => refusals(method, ask)),
    {
      title: 'answers DELETE of another version with 412 and Tus-Version',
      level: 'MUST',
      quote: REFUSED,
      needs: ['termination'],
      run: async (tus) =>
        isRefusal(await tus.send('DELETE', await tus.create(), { headers: { 'Tus-Resumable': UNKNOWN } })),
    },
    {
      title: 'creates nothing by a POST of another version',
      level: 'MUST',
      quote: NOT_PROCESSED,
      run: async (tus) => {
        const answer = await tus.post({ headers: { 'Upload-Length': 5, 'Tus-Resumable': UNKNOWN } })
        must(answer.status !== 201 && answer.headers.location === undefined, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'stores nothing of a PATCH of another version',
      level: 'MUST',
      quote: NOT_PROCESSED,
      run: async (tus) => {
        const url = await tus.create()
        await tus.send('PATCH', url, { headers: { ...APPEND, 'Tus-Resumable': UNKNOWN }, body: hello })
        await tus.mustBeAt(url, 0)
      },
    },
    {
      title: 'tells no offset to a HEAD of another version',
      level: 'MUST',
      quote: NOT_PROCESSED,
      run: async (tus) => {
        const answer = await tus.head(await tus.create(), { 'Tus-Resumable': UNKNOWN })
        must(answer.headers['upload-offset'] === undefined, 'Upload-Offset is there')
      },
    },
    {
      title: 'terminates nothing by a DELETE of another version',
      level: 'MUST',
      quote: NOT_PROCESSED,
      needs: ['termination'],
      run: async (tus) => {
        const url = await tus.create()
        await tus.send('DELETE', url, { headers: { 'Tus-Resumable': UNKNOWN } })
        await tus.mustBeAt(url, 0)
      },
    },
    ...Object.entries(ANSWERS).map(
      ([what, ask]): Check => ({
        title: `says Tus-Resumable in its answer to ${what}`,
        level: 'MUST',
        quote: INCLUDED,
        run: async (tus) => must((await ask(tus)).headers['tus-resumable'] !== undefined, 'there is no Tus-Resumable'),
      }),
    ),
    {
      title: 'says Tus-Resumable in its answer to DELETE',
      level: 'MUST',
      quote: INCLUDED,
      needs: ['termination'],
      run: async (tus) => {
        const { headers } = await tus.remove(await tus.create())
        must(headers['tus-resumable'] !== undefined, 'there is no Tus-Resumable')
      },
    },
    {
      title: 'says that it speaks 1.0.0 where it was spoken to in 1.0.0',
      level: 'MUST',
      quote: ITS_VALUE,
      run: async (tus) => {
        const spoken = (await tus.status(await tus.create())).headers['tus-resumable']
        must(spoken === '1.0.0', `Tus-Resumable is ${String(spoken)}`)
      },
    },
  ],
}
