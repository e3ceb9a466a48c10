import { type Chapter, type Check, must } from '../check.ts'
import { type Session, told } from '../session.ts'

const CONFIRMED =
  'When receiving a `DELETE` request for an existing upload the Server SHOULD free associated resources and MUST respond with the `204 No Content` status confirming that the upload was terminated.'
const ALL_FUTURE =
  'For all future requests to this URL, the Server SHOULD respond with the `404 Not Found` or `410 Gone` status.'
const BOTH =
  'This extension defines a way for the Client to terminate completed and unfinished uploads allowing the Server to free up used resources.'
const hello = Buffer.from('hello world')

const UPLOADS: Readonly<Record<string, (tus: Session) => Promise<string>>> = {
  'a new upload': (tus) => tus.create(),
  'a part of an upload': async (tus) => {
    const url = await tus.create()
    await tus.append(url, 0, hello.subarray(0, 5))
    return url
  },
  'a completed upload': (tus) => tus.createFull(hello),
  'an upload of no bytes': (tus) => tus.create({ length: 0 }),
}

async function terminated(tus: Session, make: (tus: Session) => Promise<string>): Promise<string> {
  const url = await make(tus)
  const answer = await tus.remove(url)
  must(answer.status === 204, `DELETE is answered ${told(answer)}`)
  return url
}

function future(method: string): Check[] {
  return Object.entries(UPLOADS)
    .slice(1, 3)
    .map(([what, make]) => ({
      title: `answers 404 or 410 to ${method} after ${what} was terminated`,
      level: 'SHOULD',
      quote: ALL_FUTURE,
      run: async (tus) => {
        const url = await terminated(tus, make)
        const answer = method === 'PATCH' ? await tus.patch(url, 5, hello.subarray(5)) : await tus.send(method, url)
        must(answer.status === 404 || answer.status === 410, `it is answered ${told(answer)}`)
      },
    }))
}

export const termination: Chapter = {
  name: 'termination',
  extension: 'termination',
  checks: [
    ...Object.entries(UPLOADS).map(
      ([what, make]): Check => ({
        title: `answers 204 to DELETE of ${what}`,
        level: 'MUST',
        quote: what === 'a completed upload' ? BOTH : CONFIRMED,
        run: async (tus) => void (await terminated(tus, make)),
      }),
    ),
    {
      title: 'answers 204 to DELETE of an upload whose length is deferred',
      level: 'MUST',
      quote: CONFIRMED,
      needs: ['creation-defer-length'],
      run: async (tus) => void (await terminated(tus, () => tus.create({ length: null }))),
    },
    ...['HEAD', 'PATCH', 'DELETE'].flatMap(future),
    {
      title: 'says no offset of a terminated upload',
      level: 'SHOULD',
      quote: ALL_FUTURE,
      run: async (tus) => {
        const { headers } = await tus.head(await terminated(tus, (session) => session.create()))
        must(headers['upload-offset'] === undefined, 'Upload-Offset is there')
      },
    },
    {
      title: 'gives out no byte of a terminated upload',
      level: 'SHOULD',
      quote: ALL_FUTURE,
      run: async (tus) => {
        const content = await tus.content(await terminated(tus, (session) => session.createFull(hello)))
        must(content === null, 'GET is answered 200')
      },
    },
    {
      title: 'leaves other uploads as they are',
      level: 'MUST',
      quote: CONFIRMED,
      run: async (tus) => {
        const other = await tus.create({ length: hello.length })
        await tus.append(other, 0, hello.subarray(0, 5))
        await terminated(tus, (session) => session.create())
        await tus.mustBeAt(other, 5)
        await tus.append(other, 5, hello.subarray(5))
        await tus.mustHold(other, hello)
      },
    },
  ],
}
