import { randomBytes } from 'node:crypto'
import { list } from '../advertised.ts'
import { type Chapter, type Check, given, must } from '../check.ts'
import { checksumOf } from '../checksums.ts'
import { mustRefuse, OFFSET_OCTET_STREAM, type Session, told } from '../session.ts'
import type { Answer } from '../wire.ts'

const VERIFIED =
  'Once the entire request has been received, the Server MUST verify the uploaded chunk against the provided checksum using the specified algorithm.'
const STATUSES =
  'Depending on the result the Server MAY respond with one of the following status code: 1) `400 Bad Request` if the checksum algorithm is not supported by the server, 2) `460 Checksum Mismatch` if the checksums mismatch or 3) `204 No Content` if the checksums match and the processing of the data succeeded.'
const DISCARDED =
  'In the first two cases the uploaded chunk MUST be discarded, and the upload and its offset MUST NOT be updated.'
const SHA1 = 'The Server MUST support at least the SHA1 checksum algorithm identified by `sha1`.'
const NAMES =
  'The names of the checksum algorithms MUST only consist of ASCII characters with the modification that uppercase characters are excluded.'
const IN_OPTIONS = 'The `Tus-Checksum-Algorithm` header MUST be included in the response to an `OPTIONS` request.'
const LISTED =
  'The `Tus-Checksum-Algorithm` response header MUST be a comma-separated list of the checksum algorithms supported by the server.'
const FORM =
  'The header MUST consist of the name of the used checksum algorithm and the Base64 encoded checksum separated by a space.'
const RULES = 'In this case, similar rules as for the `PATCH` request and response apply.'

const MIB = 1024 * 1024
const hello = Buffer.from('hello world')
/** Of other bytes. */
const WRONG = checksumOf('sha1', Buffer.from('something else'))

function patch(tus: Session, url: string, offset: number, body: Uint8Array, checksum: string): Promise<Answer> {
  return tus.patch(url, offset, body, { headers: { 'Upload-Checksum': checksum } })
}

async function mustTake(tus: Session, url: string, offset: number, body: Uint8Array, checksum: string): Promise<void> {
  const answer = await patch(tus, url, offset, body, checksum)
  must(answer.status === 204, `a right checksum is answered ${told(answer)}`)
  await tus.mustBeAt(url, offset + body.length)
}

const byAlgorithm: readonly Check[] = ['md5', 'sha256', 'sha512', 'crc32'].flatMap((algorithm): Check[] => [
  {
    title: `takes bytes with a right ${algorithm}`,
    level: 'MUST',
    quote: LISTED,
    run: async (tus) => {
      given(tus.advertised.algorithms.includes(algorithm), `${algorithm} is not advertised`)
      await mustTake(tus, await tus.create(), 0, hello, checksumOf(algorithm, hello))
    },
  },
  {
    title: `discards bytes with a wrong ${algorithm}`,
    level: 'MUST',
    quote: DISCARDED,
    run: async (tus) => {
      given(tus.advertised.algorithms.includes(algorithm), `${algorithm} is not advertised`)
      const url = await tus.create()
      mustRefuse(await patch(tus, url, 0, hello, checksumOf(algorithm, Buffer.from('something else'))))
      await tus.mustBeAt(url, 0)
    },
  },
])

const malformed: readonly Check[] = [
  ['an algorithm alone', 'sha1'],
  ['a digest that is too short', 'sha1 AAAA'],
  ['a digest that is not Base64', 'sha1 %%%%%%%%%%%%%%%%%%%%%%%%%%%='],
  ['a digest in hex', `sha1 ${Buffer.from('2aae6c35c94fcfb415dbe95f408b9ce91ee846ed').toString()}`],
].map(([what, header = '']) => ({
  title: `takes nothing with ${what}`,
  level: 'MUST',
  quote: FORM,
  run: async (tus) => {
    const url = await tus.create({ length: hello.length })
    mustRefuse(await patch(tus, url, 0, hello, header))
    await tus.mustBeAt(url, 0)
  },
}))

export const checksum: Chapter = {
  name: 'checksum',
  extension: 'checksum',
  checks: [
    {
      title: 'says its algorithms to OPTIONS',
      level: 'MUST',
      quote: IN_OPTIONS,
      run: async (tus) => {
        const { headers } = await tus.send('OPTIONS', tus.endpoint)
        must(list(headers['tus-checksum-algorithm']).length > 0, 'there is no Tus-Checksum-Algorithm')
      },
    },
    {
      title: 'has sha1',
      level: 'MUST',
      quote: SHA1,
      run: async ({ advertised: { algorithms } }) =>
        must(algorithms.includes('sha1'), `Tus-Checksum-Algorithm is ${algorithms.join(',')}`),
    },
    {
      title: 'names algorithms without capitals',
      level: 'MUST',
      quote: NAMES,
      run: async ({ advertised: { algorithms } }) =>
        must(
          algorithms.every((name) => /^[\x21-\x40\x5b-\x7e]+$/.test(name)),
          `Tus-Checksum-Algorithm is ${algorithms.join(',')}`,
        ),
    },
    {
      title: 'takes bytes with a right sha1',
      level: 'MUST',
      quote: VERIFIED,
      // The example of the specification.
      run: async (tus) => mustTake(tus, await tus.create(), 0, hello, 'sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0='),
    },
    {
      title: 'answers 204 to a right sha1',
      level: 'MAY',
      quote: STATUSES,
      run: async (tus) => {
        const answer = await patch(tus, await tus.create(), 0, hello, checksumOf('sha1', hello))
        must(answer.status === 204, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'refuses bytes with a wrong sha1',
      level: 'MUST',
      quote: VERIFIED,
      run: async (tus) => mustRefuse(await patch(tus, await tus.create(), 0, hello, WRONG)),
    },
    {
      title: 'answers 460 to a wrong sha1',
      level: 'MAY',
      quote: STATUSES,
      run: async (tus) => {
        const answer = await patch(tus, await tus.create(), 0, hello, WRONG)
        must(answer.status === 460, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'answers 400 to an algorithm that it does not have',
      level: 'MAY',
      quote: STATUSES,
      run: async (tus) => {
        const answer = await patch(tus, await tus.create(), 0, hello, 'whirlpool8 AAAA')
        must(answer.status === 400, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'discards bytes with an algorithm that it does not have',
      level: 'MUST',
      quote: DISCARDED,
      run: async (tus) => {
        const url = await tus.create()
        mustRefuse(await patch(tus, url, 0, hello, 'whirlpool8 AAAA'))
        await tus.mustBeAt(url, 0)
      },
    },
    {
      title: 'leaves a new upload at 0 after a wrong sha1',
      level: 'MUST',
      quote: DISCARDED,
      run: async (tus) => {
        const url = await tus.create()
        await patch(tus, url, 0, hello, WRONG)
        await tus.mustBeAt(url, 0)
      },
    },
    {
      title: 'leaves what was there before a wrong sha1',
      level: 'MUST',
      quote: DISCARDED,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        await tus.append(url, 0, hello.subarray(0, 5))
        await patch(tus, url, 5, Buffer.from('XXXXXX'), WRONG)
        await tus.mustBeAt(url, 5)
        await mustTake(tus, url, 5, hello.subarray(5), checksumOf('sha1', hello.subarray(5)))
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'completes nothing with a wrong sha1',
      level: 'MUST',
      quote: DISCARDED,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        mustRefuse(await patch(tus, url, 0, Buffer.from('HELLO WORLD'), WRONG))
        await tus.mustBeAt(url, 0)
        await mustTake(tus, url, 0, hello, checksumOf('sha1', hello))
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'verifies a body of 11 MiB and discards it whole',
      level: 'MUST',
      quote: DISCARDED,
      run: async (tus) => {
        const bytes = randomBytes(11 * MIB + 3)
        const url = await tus.create({ length: bytes.length })
        mustRefuse(await patch(tus, url, 0, bytes, WRONG))
        await tus.mustBeAt(url, 0)
        await mustTake(tus, url, 0, bytes, checksumOf('sha1', bytes))
        await tus.mustHold(url, bytes)
      },
    },
    {
      title: 'verifies a body whose length is not said before',
      level: 'MUST',
      quote: VERIFIED,
      run: async (tus) => {
        const url = await tus.create()
        mustRefuse(await tus.patch(url, 0, hello, { headers: { 'Upload-Checksum': WRONG }, chunked: true }))
        await tus.mustBeAt(url, 0)
        const headers = { 'Upload-Checksum': checksumOf('sha1', hello) }
        await tus.append(url, 0, hello, { headers, chunked: true })
      },
    },
    {
      title: 'verifies a body of no bytes',
      level: 'MUST',
      quote: VERIFIED,
      run: async (tus) => {
        const url = await tus.create()
        mustRefuse(await patch(tus, url, 0, Buffer.alloc(0), WRONG))
        await mustTake(tus, url, 0, Buffer.alloc(0), checksumOf('sha1', Buffer.alloc(0)))
      },
    },
    {
      title: 'verifies each PATCH by its own bytes',
      level: 'MUST',
      quote:
        'The `Upload-Checksum` request header contains information about the checksum of the current body payload.',
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        for (let at = 0; at < hello.length; at += 3) {
          const piece = hello.subarray(at, at + 3)
          await mustTake(tus, url, at, piece, checksumOf('sha1', piece))
        }
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'keeps nothing of a checksummed body that breaks off in a way that a retry would trip over',
      level: 'MUST',
      quote: VERIFIED,
      run: async (tus) => {
        const bytes = randomBytes(MIB)
        const url = await tus.create({ length: bytes.length })
        await tus.cutPatch(url, 0, bytes, 300_000, { 'Upload-Checksum': checksumOf('sha1', bytes) })
        const offset = await tus.offsetWhenFree(url)
        const rest = bytes.subarray(offset)
        await mustTake(tus, url, offset, rest, checksumOf('sha1', rest))
        await tus.mustHold(url, bytes)
      },
    },
    ...byAlgorithm,
    ...malformed,
    {
      title: 'verifies the bytes of a creation',
      level: 'MUST',
      quote: RULES,
      needs: ['creation-with-upload'],
      run: async (tus) => {
        const headers = { 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': hello.length }
        const wrong = await tus.post({ headers: { ...headers, 'Upload-Checksum': WRONG }, body: hello })
        if (wrong.status === 201) await tus.mustBeAt(tus.locationOf(wrong), 0)
        else mustRefuse(wrong)
        const right = checksumOf('sha1', hello)
        const answer = await tus.post({ headers: { ...headers, 'Upload-Checksum': right }, body: hello })
        must(answer.status === 201, `a right checksum is answered ${told(answer)}`)
        await tus.mustHold(tus.locationOf(answer), hello)
      },
    },
  ],
}
