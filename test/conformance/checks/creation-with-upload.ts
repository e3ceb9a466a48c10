import { randomBytes } from 'node:crypto'
import { type Chapter, must } from '../check.ts'
import { mustRefuse, OFFSET_OCTET_STREAM, told } from '../session.ts'

const RULES = 'In this case, similar rules as for the `PATCH` request and response apply.'
const EITHER =
  'The Client MAY include either the entirety or a chunk of the upload data in the body of the `POST` request.'
const TYPE = 'The Client MUST include the `Content-Type: application/offset+octet-stream` header.'
const OFFSET =
  'The Server SHOULD accept as many bytes as possible and MUST include the `Upload-Offset` header in the response and MUST set its value to the offset of the upload after applying the accepted bytes.'
const EXPECT =
  'In addition, the Client SHOULD include the `Expect: 100-continue` header in the request to receive early feedback from the Server on whether it will accept the creation request, before attempting to transfer the first chunk.'

const hello = Buffer.from('hello world')
const type = { 'Content-Type': OFFSET_OCTET_STREAM }

export const creationWithUpload: Chapter = {
  name: 'creation-with-upload',
  extension: 'creation-with-upload',
  checks: [
    {
      title: 'takes the whole upload',
      level: 'MUST',
      quote: OFFSET,
      run: async (tus) => {
        const answer = await tus.post({ headers: { ...type, 'Upload-Length': hello.length }, body: hello })
        must(answer.status === 201, `it is answered ${told(answer)}`)
        const offset = answer.headers['upload-offset']
        must(offset !== undefined, 'there is no Upload-Offset')
        must(Number(offset) === (await tus.offset(tus.locationOf(answer))), 'HEAD says another offset')
      },
    },
    {
      title: 'accepts all bytes of a small body',
      level: 'SHOULD',
      quote: OFFSET,
      run: async (tus) => {
        const answer = await tus.post({ headers: { ...type, 'Upload-Length': hello.length }, body: hello })
        const offset = answer.headers['upload-offset']
        must(offset === String(hello.length), `Upload-Offset is ${String(offset)}`)
        await tus.mustHold(tus.locationOf(answer), hello)
      },
    },
    {
      title: 'takes a part, and PATCH goes on',
      level: 'MUST',
      quote: EITHER,
      run: async (tus) => {
        const headers = { ...type, 'Upload-Length': hello.length }
        const answer = await tus.post({ headers, body: hello.subarray(0, 5) })
        must(answer.status === 201, `it is answered ${told(answer)}`)
        const url = tus.locationOf(answer)
        const offset = await tus.offset(url)
        await tus.append(url, offset, hello.subarray(offset))
        await tus.mustBeAt(url, hello.length)
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'takes a body whose length is not said before',
      level: 'MUST',
      quote: OFFSET,
      run: async (tus) => {
        const headers = { ...type, 'Upload-Length': hello.length }
        const answer = await tus.post({ headers, body: hello, chunked: true })
        must(answer.status === 201, `it is answered ${told(answer)}`)
        must(answer.headers['upload-offset'] !== undefined, 'there is no Upload-Offset')
        await tus.mustBeAt(tus.locationOf(answer), Number(answer.headers['upload-offset']))
      },
    },
    {
      title: 'takes 6 MiB, and every byte of them',
      level: 'SHOULD',
      quote: OFFSET,
      run: async (tus) => {
        const bytes = randomBytes(6 * 1024 * 1024 + 7)
        const answer = await tus.post({ headers: { ...type, 'Upload-Length': bytes.length }, body: bytes })
        must(answer.headers['upload-offset'] === String(bytes.length), `it is answered ${told(answer)}`)
        await tus.mustHold(tus.locationOf(answer), bytes)
      },
    },
    {
      title: 'takes bytes of an upload whose length is deferred',
      level: 'MUST',
      quote: RULES,
      needs: ['creation-defer-length'],
      run: async (tus) => {
        const answer = await tus.post({ headers: { ...type, 'Upload-Defer-Length': '1' }, body: hello })
        must(answer.status === 201, `it is answered ${told(answer)}`)
        await tus.mustBeAt(tus.locationOf(answer), Number(answer.headers['upload-offset']))
      },
    },
    {
      title: 'stores nothing of a body of another type',
      level: 'MUST',
      quote: TYPE,
      run: async (tus) => {
        const headers = { 'Content-Type': 'text/plain', 'Upload-Length': hello.length }
        const answer = await tus.post({ headers, body: hello })
        if (answer.status === 201) await tus.mustBeAt(tus.locationOf(answer), 0)
        else mustRefuse(answer)
      },
    },
    {
      title: 'answers 415 to a body of another type',
      level: 'SHOULD',
      quote: RULES,
      run: async (tus) => {
        const headers = { 'Content-Type': 'text/plain', 'Upload-Length': hello.length }
        const answer = await tus.post({ headers, body: hello })
        must(answer.status === 415, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'takes no more than the length of the upload',
      level: 'MUST',
      quote: RULES,
      run: async (tus) => {
        const answer = await tus.post({ headers: { ...type, 'Upload-Length': 5 }, body: hello })
        if (answer.status !== 201) return mustRefuse(answer)
        const offset = await tus.offset(tus.locationOf(answer))
        must(offset <= 5, `the upload of 5 bytes is at ${offset}`)
      },
    },
    {
      title: 'says 100 Continue before it is sent the body',
      level: 'SHOULD',
      quote: EXPECT,
      run: async (tus) => {
        const headers = { ...type, 'Upload-Length': hello.length, Expect: '100-continue' }
        const answer = await tus.post({ headers, body: hello, expectContinue: true })
        must(answer.continued, 'it did not say 100 Continue')
        must(answer.status === 201, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'tells metadata of what was created with bytes',
      level: 'MUST',
      quote: RULES,
      run: async (tus) => {
        const headers = { ...type, 'Upload-Length': hello.length, 'Upload-Metadata': 'filename YS50eHQ=' }
        const url = tus.locationOf(await tus.post({ headers, body: hello }))
        const came = (await tus.status(url)).headers['upload-metadata']
        must(came === 'filename YS50eHQ=', `Upload-Metadata is ${String(came)}`)
      },
    },
  ],
}
