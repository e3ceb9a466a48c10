import { type Chapter, must } from '../check.ts'
import { OFFSET_OCTET_STREAM, told } from '../session.ts'

const INTERPRETED =
  "The `X-HTTP-Method-Override` request header MUST be a string which MUST be interpreted as the request's method by the Server, if the header is presented."
const IGNORED = 'The actual method of the request MUST be ignored.'
const hello = Buffer.from('hello')
const append = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Offset': 0, 'X-HTTP-Method-Override': 'PATCH' }

export const methodOverride: Chapter = {
  name: 'X-HTTP-Method-Override',
  extension: null,
  checks: [
    {
      title: 'takes a POST for the PATCH that it means',
      level: 'MUST',
      quote: INTERPRETED,
      run: async (tus) => {
        const url = await tus.create()
        const answer = await tus.send('POST', url, { headers: append, body: hello })
        must(answer.status === 204, `it is answered ${told(answer)}`)
        await tus.mustBeAt(url, 5)
      },
    },
    {
      title: 'takes a PUT for the PATCH that it means',
      level: 'MUST',
      quote: IGNORED,
      run: async (tus) => {
        const url = await tus.create()
        const answer = await tus.send('PUT', url, { headers: append, body: hello })
        must(answer.status === 204, `it is answered ${told(answer)}`)
        await tus.mustBeAt(url, 5)
      },
    },
    {
      title: 'takes a POST for the DELETE that it means',
      level: 'MUST',
      quote: INTERPRETED,
      needs: ['termination'],
      run: async (tus) => {
        const url = await tus.create()
        const answer = await tus.send('POST', url, { headers: { 'X-HTTP-Method-Override': 'DELETE' } })
        must(answer.status === 204, `it is answered ${told(answer)}`)
        must((await tus.head(url)).status !== 200, 'the upload is still there')
      },
    },
    {
      title: 'takes a POST for the HEAD that it means',
      level: 'MUST',
      quote: INTERPRETED,
      run: async (tus) => {
        const url = await tus.create()
        const { headers } = await tus.send('POST', url, { headers: { 'X-HTTP-Method-Override': 'HEAD' } })
        must(headers['upload-offset'] === '0', `Upload-Offset is ${String(headers['upload-offset'])}`)
      },
    },
    {
      title: 'takes a GET for the HEAD that it means',
      level: 'MUST',
      quote: IGNORED,
      run: async (tus) => {
        const url = await tus.createFull(hello)
        const { headers } = await tus.send('GET', url, { headers: { 'X-HTTP-Method-Override': 'HEAD' } })
        must(headers['upload-offset'] === '5', `Upload-Offset is ${String(headers['upload-offset'])}`)
      },
    },
    {
      title: 'takes a PATCH for the POST that it means',
      level: 'MUST',
      quote: IGNORED,
      run: async (tus) => {
        const headers = { 'Upload-Length': 5, 'X-HTTP-Method-Override': 'POST' }
        const answer = await tus.send('PATCH', tus.endpoint, { headers })
        must(answer.status === 201, `it is answered ${told(answer)}`)
        await tus.mustBeAt(tus.locationOf(answer), 0)
      },
    },
    {
      title: 'takes a GET for the OPTIONS that it means',
      level: 'MUST',
      quote: IGNORED,
      run: async (tus) => {
        const { headers } = await tus.send('GET', tus.endpoint, { headers: { 'X-HTTP-Method-Override': 'OPTIONS' } })
        must(headers['tus-version'] !== undefined, 'there is no Tus-Version')
      },
    },
  ],
}
