import { randomBytes } from 'node:crypto'
import { type Chapter, type Check, must } from '../check.ts'
import { mustRefuse, OFFSET_OCTET_STREAM, told } from '../session.ts'

const APPLIED =
  'The Server SHOULD accept `PATCH` requests against any upload URL and apply the bytes contained in the message at the given offset specified by the `Upload-Offset` header.'
const TYPE =
  'All `PATCH` requests MUST use `Content-Type: application/offset+octet-stream`, otherwise the server SHOULD return a `415 Unsupported Media Type` status.'
const EQUAL = "The `Upload-Offset` header's value MUST be equal to the current offset of the resource."
const CONFLICT =
  'If the offsets do not match, the Server MUST respond with the `409 Conflict` status without modifying the upload resource.'
const ACKNOWLEDGED = 'The Server MUST acknowledge successful `PATCH` requests with the `204 No Content` status.'
const NEW_OFFSET = 'It MUST include the `Upload-Offset` header containing the new offset.'
const SUM =
  'The new offset MUST be the sum of the offset before the `PATCH` request and the number of bytes received and processed or stored during the current `PATCH` request.'
const AS_MUCH = 'The Server SHOULD always attempt to store as much of the received data as possible.'
const WHOLE_NUMBER =
  'The `Upload-Offset` request and response header indicates a byte offset within a resource. The value MUST be a non-negative integer.'
const ENTIRE =
  'The `Upload-Length` request and response header indicates the size of the entire upload in bytes. The value MUST be a non-negative integer.'

const MIB = 1024 * 1024
const hello = Buffer.from('hello world')

const noNumbers: readonly Check[] = ['-1', '1.5', 'five', '0x0', ''].map((value) => ({
  title: `refuses Upload-Offset ${JSON.stringify(value)}, and stores nothing`,
  level: 'MUST',
  quote: WHOLE_NUMBER,
  run: async (tus) => {
    const url = await tus.create()
    mustRefuse(await tus.patch(url, value, hello))
    await tus.mustBeAt(url, 0)
  },
}))

const wrongTypes: readonly Check[] = ['application/octet-stream', 'text/plain', undefined].flatMap((type): Check[] => [
  {
    title: `answers 415 to a PATCH ${type === undefined ? 'without a type' : `of type ${type}`}`,
    level: 'SHOULD',
    quote: TYPE,
    run: async (tus) => {
      const answer = await tus.patch(await tus.create(), 0, hello, { headers: { 'Content-Type': type } })
      must(answer.status === 415, `it is answered ${told(answer)}`)
    },
  },
  {
    title: `stores nothing of a PATCH ${type === undefined ? 'without a type' : `of type ${type}`}`,
    level: 'SHOULD',
    quote: TYPE,
    run: async (tus) => {
      const url = await tus.create()
      await tus.patch(url, 0, hello, { headers: { 'Content-Type': type } })
      await tus.mustBeAt(url, 0)
    },
  },
])

export const patch: Chapter = {
  name: 'PATCH',
  extension: null,
  checks: [
    {
      title: 'answers 204',
      level: 'MUST',
      quote: ACKNOWLEDGED,
      run: async (tus) => {
        const answer = await tus.patch(await tus.create({ length: hello.length }), 0, hello.subarray(0, 5))
        must(answer.status === 204, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'answers 204 when the upload is complete',
      level: 'MUST',
      quote: ACKNOWLEDGED,
      run: async (tus) => {
        const answer = await tus.patch(await tus.create({ length: hello.length }), 0, hello)
        must(answer.status === 204, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'says the new offset',
      level: 'MUST',
      quote: NEW_OFFSET,
      run: async (tus) => {
        const { headers } = await tus.patch(await tus.create(), 0, hello.subarray(0, 5))
        must(headers['upload-offset'] === '5', `Upload-Offset is ${String(headers['upload-offset'])}`)
      },
    },
    {
      title: 'adds up the offsets of PATCHes one after the other',
      level: 'MUST',
      quote: SUM,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        for (let at = 0; at < hello.length; at += 1) {
          const offset = await tus.append(url, at, hello.subarray(at, at + 1))
          must(offset === at + 1, `Upload-Offset is ${offset} after ${at + 1} bytes`)
        }
        await tus.mustBeAt(url, hello.length)
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'says the offset that HEAD says',
      level: 'MUST',
      quote: SUM,
      run: async (tus) => {
        const url = await tus.create({ length: 100_000 })
        const offset = await tus.append(url, 0, randomBytes(77_777))
        await tus.mustBeAt(url, offset)
      },
    },
    {
      title: 'takes a PATCH of no bytes at the offset',
      level: 'MUST',
      quote: SUM,
      run: async (tus) => {
        const url = await tus.create()
        await tus.append(url, 0, hello.subarray(0, 5))
        const offset = await tus.append(url, 5, Buffer.alloc(0))
        must(offset === 5, `Upload-Offset is ${offset}`)
      },
    },
    {
      title: 'takes a body whose length is not said before',
      level: 'SHOULD',
      quote: APPLIED,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        const offset = await tus.append(url, 0, hello, { chunked: true })
        must(offset === hello.length, `Upload-Offset is ${offset}`)
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'takes the body after it has said 100 Continue',
      level: 'SHOULD',
      quote: APPLIED,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        await tus.append(url, 0, hello, { expectContinue: true, headers: { Expect: '100-continue' } })
        await tus.mustBeAt(url, hello.length)
      },
    },
    {
      title: 'takes 7 MiB in one PATCH, and every byte of them',
      level: 'SHOULD',
      quote: APPLIED,
      run: async (tus) => {
        const bytes = randomBytes(7 * MIB + 1)
        const url = await tus.createFull(bytes)
        await tus.mustBeAt(url, bytes.length)
        await tus.mustHold(url, bytes)
      },
    },
    {
      title: 'puts bytes where the offset says',
      level: 'SHOULD',
      quote: APPLIED,
      run: async (tus) => {
        const bytes = randomBytes(300_000)
        const url = await tus.create({ length: bytes.length })
        for (const [from, to] of [
          [0, 1],
          [1, 65_537],
          [65_537, 300_000],
        ]) {
          await tus.append(url, from ?? 0, bytes.subarray(from, to))
        }
        await tus.mustHold(url, bytes)
      },
    },
    {
      title: 'answers 409 to an offset ahead of the upload',
      level: 'MUST',
      quote: CONFLICT,
      run: async (tus) => {
        const answer = await tus.patch(await tus.create(), 3, hello.subarray(3))
        must(answer.status === 409, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'answers 409 to an offset behind the upload',
      level: 'MUST',
      quote: CONFLICT,
      run: async (tus) => {
        const url = await tus.create()
        await tus.append(url, 0, hello.subarray(0, 5))
        const answer = await tus.patch(url, 2, hello.subarray(2))
        must(answer.status === 409, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'changes nothing at a wrong offset',
      level: 'MUST',
      quote: CONFLICT,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        await tus.append(url, 0, hello.subarray(0, 5))
        for (const offset of [0, 4, 6]) await tus.patch(url, offset, Buffer.from('XXXXX'))
        await tus.mustBeAt(url, 5)
        await tus.append(url, 5, hello.subarray(5))
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'changes nothing of a completed upload',
      level: 'MUST',
      quote: CONFLICT,
      run: async (tus) => {
        const url = await tus.createFull(hello)
        const answer = await tus.patch(url, 0, Buffer.from('XXXXX'))
        must(answer.status !== 204, 'the beginning is written once more')
        await tus.mustBeAt(url, hello.length)
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'refuses a PATCH without Upload-Offset, and stores nothing',
      level: 'MUST',
      quote: EQUAL,
      run: async (tus) => {
        const url = await tus.create()
        mustRefuse(await tus.send('PATCH', url, { headers: { 'Content-Type': OFFSET_OCTET_STREAM }, body: hello }))
        await tus.mustBeAt(url, 0)
      },
    },
    ...noNumbers,
    {
      title: 'takes one of two PATCHes at the same offset at the same time, and counts what it took',
      level: 'MUST',
      quote: EQUAL,
      run: async (tus) => {
        const url = await tus.create({ length: 200_000 })
        const bodies = [randomBytes(100_000), randomBytes(120_000)]
        const answers = await Promise.all(bodies.map((body) => tus.patch(url, 0, body)))
        const taken = answers.filter(({ status }) => status === 204)
        must(taken.length < 2, 'both are acknowledged')
        const offset = await tus.offset(url)
        const [acknowledged] = taken
        if (acknowledged !== undefined) {
          must(offset === Number(acknowledged.headers['upload-offset']), `the upload is at ${offset}`)
        }
        must(offset <= 120_000, `the upload is at ${offset}`)
      },
    },
    {
      title: 'takes no more than the length of the upload',
      level: 'MUST',
      quote: ENTIRE,
      run: async (tus) => {
        const url = await tus.create({ length: 5 })
        await tus.patch(url, 0, hello)
        const offset = await tus.offset(url)
        must(offset <= 5, `the upload of 5 bytes is at ${offset}`)
      },
    },
    {
      title: 'takes no more than the length of the upload from a body whose length is not said before',
      level: 'MUST',
      quote: ENTIRE,
      run: async (tus) => {
        const url = await tus.create({ length: 5 })
        await tus.patch(url, 0, hello, { chunked: true })
        const offset = await tus.offset(url)
        must(offset <= 5, `the upload of 5 bytes is at ${offset}`)
      },
    },
    {
      title: 'takes nothing more when the upload is complete',
      level: 'MUST',
      quote: ENTIRE,
      run: async (tus) => {
        const url = await tus.createFull(hello)
        const answer = await tus.patch(url, hello.length, Buffer.from('!'))
        must(answer.headers['upload-offset'] !== String(hello.length + 1), 'one more byte is acknowledged')
        await tus.mustBeAt(url, hello.length)
        await tus.mustHold(url, hello)
      },
    },
    ...wrongTypes,
    {
      title: 'answers 404 for an upload that is not there',
      level: 'SHOULD',
      quote:
        'If the server receives a `PATCH` request against a non-existent resource it SHOULD return a `404 Not Found` status.',
      run: async (tus) => {
        const answer = await tus.patch(await tus.nowhere(), 0, hello)
        must(answer.status === 404, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'keeps what it has received of a PATCH that breaks off',
      level: 'SHOULD',
      quote: AS_MUCH,
      run: async (tus) => {
        const bytes = randomBytes(MIB)
        const url = await tus.create({ length: bytes.length })
        await tus.cutPatch(url, 0, bytes, 300_000)
        const offset = await tus.settledOffset(url, 0)
        must(offset > 0 && offset <= 300_000, `the upload is at ${offset}`)
      },
    },
    {
      title: 'goes on after a PATCH that broke off, and loses no byte',
      level: 'MUST',
      quote: SUM,
      run: async (tus) => {
        const bytes = randomBytes(MIB)
        const url = await tus.create({ length: bytes.length })
        await tus.append(url, 0, bytes.subarray(0, 1000))
        await tus.cutPatch(url, 1000, bytes.subarray(1000), 300_000)
        const offset = await tus.settledOffset(url, 1000)
        must(offset >= 1000 && offset <= 301_000, `the upload is at ${offset}`)
        await tus.append(url, offset, bytes.subarray(offset))
        await tus.mustBeAt(url, bytes.length)
        await tus.mustHold(url, bytes)
      },
    },
  ],
}
