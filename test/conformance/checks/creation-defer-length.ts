import { type Chapter, type Check, given, must } from '../check.ts'
import { mustRefuse, type Session, told } from '../session.ts'

const DEFERRED = '`Upload-Defer-Length: 1` if upload size is not known at the time.'
const IN_ALL =
  'As long as the length of the upload is not known, the Server MUST set `Upload-Defer-Length: 1` in all responses to `HEAD` requests.'
const OTHER_VALUE =
  'If the `Upload-Defer-Length` header contains any other value than `1` the server should return a `400 Bad Request` status.'
const NEXT_PATCH = 'Once it is known the Client MUST set the `Upload-Length` header in the next `PATCH` request.'
const UNCHANGED = 'Once set the length MUST NOT be changed.'
const OMITTED = 'If the length of an upload is not deferred, this header MUST be omitted.'
const ENTIRE =
  'The `Upload-Length` request and response header indicates the size of the entire upload in bytes. The value MUST be a non-negative integer.'
const TOO_LARGE =
  'If the length of the upload exceeds the maximum, which MAY be specified using the `Tus-Max-Size` header, the Server MUST respond with the `413 Request Entity Too Large` status.'

const hello = Buffer.from('hello world')

const otherValues: readonly Check[] = ['0', '2', 'true', ''].map((value) => ({
  title: `answers 400 to Upload-Defer-Length ${JSON.stringify(value)}`,
  level: 'SHOULD',
  quote: OTHER_VALUE,
  run: async (tus) => {
    const answer = await tus.post({ headers: { 'Upload-Defer-Length': value } })
    must(answer.status === 400, `it is answered ${told(answer)}`)
  },
}))

/** An upload that was deferred, and has 5 of 11 bytes and its length. */
async function declared(tus: Session): Promise<string> {
  const url = await tus.create({ length: null })
  await tus.append(url, 0, hello.subarray(0, 5), { headers: { 'Upload-Length': hello.length } })
  return url
}

async function mustHaveLength(tus: Session, url: string, length: string | undefined): Promise<void> {
  const header = (await tus.status(url)).headers['upload-length']
  must(header === length, `Upload-Length is ${String(header)}`)
}

export const creationDeferLength: Chapter = {
  name: 'creation-defer-length',
  extension: 'creation-defer-length',
  checks: [
    {
      title: 'creates an upload without a length',
      level: 'MUST',
      quote: DEFERRED,
      run: async (tus) => {
        const answer = await tus.post({ headers: { 'Upload-Defer-Length': '1' } })
        must(answer.status === 201, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'says Upload-Defer-Length: 1 of a new upload',
      level: 'MUST',
      quote: IN_ALL,
      run: async (tus) => {
        const header = (await tus.status(await tus.create({ length: null }))).headers['upload-defer-length']
        must(header === '1', `Upload-Defer-Length is ${String(header)}`)
      },
    },
    {
      title: 'says Upload-Defer-Length: 1 after a part',
      level: 'MUST',
      quote: IN_ALL,
      run: async (tus) => {
        const url = await tus.create({ length: null })
        await tus.append(url, 0, hello)
        const { headers } = await tus.status(url)
        must(headers['upload-defer-length'] === '1', `it is ${String(headers['upload-defer-length'])}`)
        must(headers['upload-offset'] === '11', `Upload-Offset is ${String(headers['upload-offset'])}`)
      },
    },
    {
      title: 'says no length while it is not known',
      level: 'MUST',
      quote: ENTIRE,
      run: async (tus) => mustHaveLength(tus, await tus.create({ length: null }), undefined),
    },
    ...otherValues,
    {
      title: 'learns the length from a PATCH',
      level: 'MUST',
      quote: NEXT_PATCH,
      run: async (tus) => mustHaveLength(tus, await declared(tus), '11'),
    },
    {
      title: 'says Upload-Defer-Length no more when the length is known',
      level: 'MUST',
      quote: OMITTED,
      run: async (tus) => {
        const header = (await tus.status(await declared(tus))).headers['upload-defer-length']
        must(header === undefined, `Upload-Defer-Length is ${String(header)}`)
      },
    },
    {
      title: 'goes on after the length is known',
      level: 'MUST',
      quote: NEXT_PATCH,
      run: async (tus) => {
        const url = await declared(tus)
        await tus.append(url, 5, hello.subarray(5))
        await tus.mustBeAt(url, 11)
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'learns the length from a PATCH of no bytes at the end',
      level: 'MUST',
      quote: NEXT_PATCH,
      run: async (tus) => {
        const url = await tus.create({ length: null })
        await tus.append(url, 0, hello)
        await tus.append(url, 11, Buffer.alloc(0), { headers: { 'Upload-Length': 11 } })
        await mustHaveLength(tus, url, '11')
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'does not change a length that is known',
      level: 'MUST',
      quote: UNCHANGED,
      run: async (tus) => {
        const url = await declared(tus)
        await tus.patch(url, 5, hello.subarray(5, 7), { headers: { 'Upload-Length': 20 } })
        await mustHaveLength(tus, url, '11')
      },
    },
    {
      title: 'does not change a length that was known from the beginning',
      level: 'MUST',
      quote: UNCHANGED,
      run: async (tus) => {
        const url = await tus.create({ length: 11 })
        await tus.patch(url, 0, hello.subarray(0, 2), { headers: { 'Upload-Length': 20 } })
        await mustHaveLength(tus, url, '11')
      },
    },
    {
      title: 'takes no length below what it has',
      level: 'MUST',
      quote: ENTIRE,
      run: async (tus) => {
        const url = await tus.create({ length: null })
        await tus.append(url, 0, hello)
        mustRefuse(await tus.patch(url, 11, Buffer.alloc(0), { headers: { 'Upload-Length': 5 } }))
        await mustHaveLength(tus, url, undefined)
      },
    },
    {
      title: 'takes no length that is no number',
      level: 'MUST',
      quote: ENTIRE,
      run: async (tus) => {
        const url = await tus.create({ length: null })
        mustRefuse(await tus.patch(url, 0, hello, { headers: { 'Upload-Length': '-11' } }))
        await mustHaveLength(tus, url, undefined)
      },
    },
    {
      title: 'answers 413 to a length above its maximum',
      level: 'MUST',
      quote: TOO_LARGE,
      run: async (tus) => {
        const { maxSize } = tus.advertised
        given(maxSize !== null, 'it says no Tus-Max-Size')
        const url = await tus.create({ length: null })
        const answer = await tus.patch(url, 0, hello, { headers: { 'Upload-Length': maxSize + 1 } })
        must(answer.status === 413, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'takes no more than the length that was declared',
      level: 'MUST',
      quote: ENTIRE,
      run: async (tus) => {
        const url = await declared(tus)
        await tus.patch(url, 5, Buffer.from(' world and more'))
        const offset = await tus.offset(url)
        must(offset <= 11, `the upload of 11 bytes is at ${offset}`)
      },
    },
  ],
}
