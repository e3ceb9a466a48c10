import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { declaredChecksums, parseChunkChecksum } from '../../../../src/json/headers/chunk-checksum.ts'

const sha256 = fc.uint8Array().map((bytes) => createHash('sha256').update(bytes).digest())

describe('parseChunkChecksum', () => {
  test('reads 64 hexadecimal digits in any case', () => {
    fc.assert(
      fc.property(sha256, fc.infiniteStream(fc.boolean()), (digest, upper) => {
        const hex = digest.toString('hex')
        const mixed = hex
          .split('')
          .map((digit) => (upper.next().value ? digit.toUpperCase() : digit))
          .join('')
        expect(parseChunkChecksum(mixed)).toEqual([{ algorithm: 'sha256', digest }])
      }),
    )
  })

  test.each([
    '',
    'a'.repeat(63),
    'a'.repeat(65),
    `${'a'.repeat(63)}g`,
    `0x${'a'.repeat(62)}`,
    `sha256:${'a'.repeat(64)}`,
  ])('refuses %j', (text) => {
    expect(() => parseChunkChecksum(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', details: { field: 'X-Chunk-Checksum' } }),
    )
  })
})

describe('declaredChecksums', () => {
  const read = (headers: Record<string, string>) => declaredChecksums({ headers, trailers: {} })

  test('takes either header, and both where they agree', () => {
    fc.assert(
      fc.property(sha256, (digest) => {
        const hex = { 'x-chunk-checksum': digest.toString('hex').toUpperCase() }
        const base64 = { 'content-digest': `sha-256=:${digest.toString('base64')}:` }
        const one = { algorithm: 'sha256', digest }
        expect(read(hex)).toEqual({ before: [one], after: null })
        expect(read(base64)).toEqual({ before: [one], after: null })
        expect(read({ ...hex, ...base64 })).toEqual({ before: [one, one], after: null })
      }),
    )
  })

  test('refuses two headers that differ', () => {
    const headers = { 'x-chunk-checksum': '0'.repeat(64), 'content-digest': `sha-256=:${'/'.repeat(42)}8=:` }
    expect(() => read(headers)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })

  test('declares nothing without a header', () => {
    expect(read({})).toBeUndefined()
  })
})
