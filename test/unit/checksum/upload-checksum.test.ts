import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CHECKSUM_ALGORITHMS, DIGEST_BYTES } from '../../../src/checksum/algorithms.ts'
import { parseUploadChecksum } from '../../../src/checksum/upload-checksum.ts'

const algorithm = fc.constantFrom(...CHECKSUM_ALGORITHMS)
function refused(text: string): void {
  expect(() => parseUploadChecksum(text), text).toThrow(
    expect.objectContaining({ code: 'INVALID_REQUEST', details: { field: 'Upload-Checksum' } }),
  )
}

describe('parseUploadChecksum', () => {
  test('reads the example of the specification', () => {
    const [checksum] = parseUploadChecksum('sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=')
    // It is the checksum of "hello world", which the example sends as 11 bytes.
    expect(checksum).toEqual({ algorithm: 'sha1', digest: createHash('sha1').update('hello world').digest() })
  })

  test('reads every algorithm', () => {
    const checksum = algorithm.chain((name) =>
      fc.tuple(fc.constant(name), fc.uint8Array({ minLength: DIGEST_BYTES[name], maxLength: DIGEST_BYTES[name] })),
    )
    fc.assert(
      fc.property(checksum, ([name, bytes]) => {
        const digest = Buffer.from(bytes)
        expect(parseUploadChecksum(`${name} ${digest.toString('base64')}`)).toEqual([{ algorithm: name, digest }])
      }),
    )
  })

  test('reads a digest of another length, which no body has', () => {
    expect(parseUploadChecksum('sha1 AAAA')).toEqual([{ algorithm: 'sha1', digest: Buffer.alloc(3) }])
  })

  test('refuses Base64 without its padding', () => {
    refused('sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0')
    refused('sha1 foobar')
  })

  test('throws nothing but INVALID_REQUEST, whatever it is given', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...'sha1md5crc2 =+/Aw,'.split('')) }),
      fc.tuple(algorithm, fc.base64String()).map((pair) => pair.join(' ')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          for (const { algorithm: name, digest } of parseUploadChecksum(text)) {
            expect(text).toBe(`${name} ${digest.toString('base64')}`)
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST', details: { field: 'Upload-Checksum' } })
        }
      }),
    )
  })

  test.each([
    [''],
    [' '],
    ['sha1'],
    ['sha1 '],
    [' Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
    ['sha1  Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
    ['sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0= '],
    ['sha1=Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
    // Without padding, in the URL alphabet, with bits beyond the last byte: what one reader takes another may not.
    ['sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0'],
    ['sha1 Kq5sNclPz7QV2-lfQIuc6R7oRu0='],
    ['sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu1='],
    ['sha1 !!!'],
    ['sha1 2aae6c35c94fcfb415dbe95f408b9ce91ee846ed'],
    // "The names of the checksum algorithms MUST only consist of ASCII characters with the modification that uppercase
    // characters are excluded."
    ['SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
    ['sha-1 Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
    ['crc32c AAAAAA=='],
    ['constructor AAAAAA=='],
    // Two headers, as Node joins them.
    ['sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=, sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
  ])('refuses %j', refused)
})
