import { type Chapter, must } from '../check.ts'

const OFFSET =
  'The Server MUST always include the `Upload-Offset` header in the response for a `HEAD` request, even if the offset is `0`, or the upload is already considered completed.'
const LENGTH = 'If the size of the upload is known, the Server MUST include the `Upload-Length` header in the response.'
const MISSING =
  'If the resource is not found, the Server SHOULD return either the `404 Not Found`, `410 Gone` or `403 Forbidden` status without the `Upload-Offset` header.'
const NO_STORE =
  'The Server MUST prevent the client and/or proxies from caching the response by adding the `Cache-Control: no-store` header to the response.'
const hello = Buffer.from('hello world')

function isNoStore(header: string | undefined): boolean {
  return (header ?? '')
    .toLowerCase()
    .split(',')
    .some((directive) => directive.trim() === 'no-store')
}

export const head: Chapter = {
  name: 'HEAD',
  extension: null,
  checks: [
    {
      title: 'says offset 0 of a new upload',
      level: 'MUST',
      quote: OFFSET,
      run: async (tus) => tus.mustBeAt(await tus.create(), 0),
    },
    {
      title: 'says the offset after a part',
      level: 'MUST',
      quote: OFFSET,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        await tus.append(url, 0, hello.subarray(0, 5))
        await tus.mustBeAt(url, 5)
      },
    },
    {
      title: 'says the offset of a completed upload',
      level: 'MUST',
      quote: OFFSET,
      run: async (tus) => tus.mustBeAt(await tus.createFull(hello), hello.length),
    },
    {
      title: 'says the offset of an upload of no bytes',
      level: 'MUST',
      quote: OFFSET,
      run: async (tus) => tus.mustBeAt(await tus.create({ length: 0 }), 0),
    },
    {
      title: 'says the same offset when it is asked again',
      level: 'MUST',
      quote: OFFSET,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        await tus.append(url, 0, hello.subarray(0, 5))
        for (let times = 0; times < 3; times += 1) await tus.mustBeAt(url, 5)
      },
    },
    {
      title: 'says the offset as a whole number',
      level: 'MUST',
      quote:
        'The `Upload-Offset` request and response header indicates a byte offset within a resource. The value MUST be a non-negative integer.',
      run: async (tus) => {
        const header = (await tus.status(await tus.createFull(hello))).headers['upload-offset']
        must(/^\d+$/.test(String(header)), `Upload-Offset is ${String(header)}`)
      },
    },
    {
      title: 'says the length of a new upload',
      level: 'MUST',
      quote: LENGTH,
      run: async (tus) => {
        const header = (await tus.status(await tus.create({ length: 123_456 }))).headers['upload-length']
        must(header === '123456', `Upload-Length is ${String(header)}`)
      },
    },
    {
      title: 'says the length of a completed upload',
      level: 'MUST',
      quote: LENGTH,
      run: async (tus) => {
        const header = (await tus.status(await tus.createFull(hello))).headers['upload-length']
        must(header === String(hello.length), `Upload-Length is ${String(header)}`)
      },
    },
    {
      title: 'says the length of an upload larger than 32 bits can count',
      level: 'MUST',
      quote: LENGTH,
      run: async (tus) => {
        const length = Math.min(5 * 2 ** 32 + 1, tus.advertised.maxSize ?? Infinity)
        const header = (await tus.status(await tus.create({ length }))).headers['upload-length']
        must(header === String(length), `Upload-Length is ${String(header)}`)
      },
    },
    {
      title: 'says no Upload-Defer-Length where the length is known',
      level: 'MUST',
      quote: 'If the length of an upload is not deferred, this header MUST be omitted.',
      run: async (tus) => {
        const { headers } = await tus.status(await tus.create())
        must(headers['upload-defer-length'] === undefined, 'Upload-Defer-Length is there')
      },
    },
    {
      title: 'answers 404, 410 or 403 for an upload that is not there',
      level: 'SHOULD',
      quote: MISSING,
      run: async (tus) => {
        const { status } = await tus.head(await tus.nowhere())
        must([403, 404, 410].includes(status), `it is answered ${status}`)
      },
    },
    {
      title: 'says no offset of an upload that is not there',
      level: 'SHOULD',
      quote: MISSING,
      run: async (tus) => {
        const { headers } = await tus.head(await tus.nowhere())
        must(headers['upload-offset'] === undefined, 'Upload-Offset is there')
      },
    },
    {
      title: 'forbids caches to store the answer about a new upload',
      level: 'MUST',
      quote: NO_STORE,
      run: async (tus) => {
        const header = (await tus.status(await tus.create())).headers['cache-control']
        must(isNoStore(header), `Cache-Control is ${String(header)}`)
      },
    },
    {
      title: 'forbids caches to store the answer about a completed upload',
      level: 'MUST',
      quote: NO_STORE,
      run: async (tus) => {
        const header = (await tus.status(await tus.createFull(hello))).headers['cache-control']
        must(isNoStore(header), `Cache-Control is ${String(header)}`)
      },
    },
  ],
}
