import { randomBytes } from 'node:crypto'
import { type Chapter, must } from '../check.ts'
import { checksumOf } from '../checksums.ts'
import { mustRefuse, OFFSET_OCTET_STREAM, type Session, told } from '../session.ts'
import type { Answer } from '../wire.ts'

const TRAILER =
  'If the hash cannot be calculated at the beginning of the upload, it MAY be included as a trailer. If the Server can handle trailers, this behavior MUST be announced by adding `checksum-trailer` to the `Tus-Extension` header.'
const VERIFIED =
  'Once the entire request has been received, the Server MUST verify the uploaded chunk against the provided checksum using the specified algorithm.'
const STATUSES =
  'Depending on the result the Server MAY respond with one of the following status code: 1) `400 Bad Request` if the checksum algorithm is not supported by the server, 2) `460 Checksum Mismatch` if the checksums mismatch or 3) `204 No Content` if the checksums match and the processing of the data succeeded.'
const DISCARDED =
  'In the first two cases the uploaded chunk MUST be discarded, and the upload and its offset MUST NOT be updated.'
const FORM =
  'The header MUST consist of the name of the used checksum algorithm and the Base64 encoded checksum separated by a space.'
const SUPPORTED = 'If supported, the Server MUST add `checksum` to the `Tus-Extension` header.'
const RULES = 'In this case, similar rules as for the `PATCH` request and response apply.'

const hello = Buffer.from('hello world')
const WRONG = checksumOf('sha1', Buffer.from('something else'))

function trailing(checksum: string) {
  return { headers: { Trailer: 'Upload-Checksum' }, chunked: true, trailers: { 'Upload-Checksum': checksum } }
}

function patch(tus: Session, url: string, offset: number, body: Uint8Array, checksum: string): Promise<Answer> {
  return tus.patch(url, offset, body, trailing(checksum))
}

export const checksumTrailer: Chapter = {
  name: 'checksum-trailer',
  extension: 'checksum-trailer',
  checks: [
    {
      title: 'advertises checksum too',
      level: 'MUST',
      quote: SUPPORTED,
      run: async ({ advertised: { extensions } }) => must(extensions.has('checksum'), 'checksum is not advertised'),
    },
    {
      title: 'takes bytes with a right sha1 behind them',
      level: 'MUST',
      quote: TRAILER,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        const answer = await patch(tus, url, 0, hello, checksumOf('sha1', hello))
        must(answer.status === 204, `it is answered ${told(answer)}`)
        await tus.mustBeAt(url, hello.length)
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'refuses bytes with a wrong sha1 behind them',
      level: 'MUST',
      quote: VERIFIED,
      run: async (tus) => mustRefuse(await patch(tus, await tus.create(), 0, hello, WRONG)),
    },
    {
      title: 'answers 460 to a wrong sha1 behind the bytes',
      level: 'MAY',
      quote: STATUSES,
      run: async (tus) => {
        const answer = await patch(tus, await tus.create(), 0, hello, WRONG)
        must(answer.status === 460, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'discards bytes with a wrong sha1 behind them',
      level: 'MUST',
      quote: DISCARDED,
      run: async (tus) => {
        const url = await tus.create({ length: hello.length })
        await tus.append(url, 0, hello.subarray(0, 5))
        await patch(tus, url, 5, Buffer.from('XXXXXX'), WRONG)
        await tus.mustBeAt(url, 5)
        await tus.append(url, 5, hello.subarray(5))
        await tus.mustHold(url, hello)
      },
    },
    {
      title: 'discards 6 MiB with a wrong sha1 behind them',
      level: 'MUST',
      quote: DISCARDED,
      run: async (tus) => {
        const bytes = randomBytes(6 * 1024 * 1024 + 1)
        const url = await tus.create({ length: bytes.length })
        await patch(tus, url, 0, bytes, WRONG)
        await tus.mustBeAt(url, 0)
        const answer = await patch(tus, url, 0, bytes, checksumOf('sha1', bytes))
        must(answer.status === 204, `a right checksum is answered ${told(answer)}`)
        await tus.mustHold(url, bytes)
      },
    },
    {
      title: 'answers 400 to an algorithm behind the bytes that it does not have',
      level: 'MAY',
      quote: STATUSES,
      run: async (tus) => {
        const answer = await patch(tus, await tus.create(), 0, hello, 'whirlpool8 AAAA')
        must(answer.status === 400, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'discards bytes with an algorithm behind them that it does not have',
      level: 'MUST',
      quote: DISCARDED,
      run: async (tus) => {
        const url = await tus.create()
        mustRefuse(await patch(tus, url, 0, hello, 'whirlpool8 AAAA'))
        await tus.mustBeAt(url, 0)
      },
    },
    {
      title: 'takes nothing with half a checksum behind it',
      level: 'MUST',
      quote: FORM,
      run: async (tus) => {
        const url = await tus.create()
        mustRefuse(await patch(tus, url, 0, hello, 'sha1'))
        await tus.mustBeAt(url, 0)
      },
    },
    {
      title: 'verifies the bytes of a creation by what is behind them',
      level: 'MUST',
      quote: RULES,
      needs: ['creation-with-upload'],
      run: async (tus) => {
        const send = (checksum: string): Promise<Answer> => {
          const { headers, ...rest } = trailing(checksum)
          const all = { ...headers, 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': hello.length }
          return tus.post({ ...rest, headers: all, body: hello })
        }
        const wrong = await send(WRONG)
        if (wrong.status === 201) await tus.mustBeAt(tus.locationOf(wrong), 0)
        else mustRefuse(wrong)
        const right = await send(checksumOf('sha1', hello))
        must(right.status === 201, `a right checksum is answered ${told(right)}`)
        await tus.mustHold(tus.locationOf(right), hello)
      },
    },
  ],
}
