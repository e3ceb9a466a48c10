import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseContentDigest } from '../../../src/checksum/content-digest.ts'

const ofBytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes))
const other = fc.constantFrom('md5=:1B2M2Y8AsgTpgAmY7PhCfg==:', 'unixsum=::', 'x*=:AA==:;a;b="c"')
const space = fc.constantFrom('', ' ', '  ')
const sha256 = (digest: Buffer) => ({ algorithm: 'sha256', digest })
const sha512 = (digest: Buffer) => ({ algorithm: 'sha512', digest })
const member = (key: string, digest: Buffer): string => `${key}=:${digest.toString('base64')}:`

describe('parseContentDigest', () => {
  test('finds sha-256 and sha-512 among other algorithms, wherever they stand', () => {
    fc.assert(
      fc.property(
        ofBytes(32),
        ofBytes(64),
        fc.array(other),
        fc.array(other),
        space,
        (short, long, before, after, gap) => {
          const all = [...before, member('sha-256', short), ...after, member('sha-512', long)]
          expect(parseContentDigest(all.join(`${gap},${gap}`))).toEqual([sha256(short), sha512(long)])
        },
      ),
    )
  })

  test('takes either alone', () => {
    fc.assert(
      fc.property(ofBytes(32), ofBytes(64), (short, long) => {
        expect(parseContentDigest(member('sha-256', short))).toEqual([sha256(short)])
        expect(parseContentDigest(member('sha-512', long))).toEqual([sha512(long)])
      }),
    )
  })

  test('takes the last of two of one algorithm, as RFC 8941 has it', () => {
    fc.assert(
      fc.property(ofBytes(32), ofBytes(32), (first, last) => {
        expect(parseContentDigest(`${member('sha-256', first)}, ${member('sha-256', last)}`)).toEqual([sha256(last)])
      }),
    )
  })

  test('answers with digests of their length or INVALID_REQUEST, whatever it is given', () => {
    const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'sha-256=:;, "AQ/+1'.split('')) }))
    fc.assert(
      fc.property(texts, (text) => {
        let lengths: number[]
        try {
          lengths = parseContentDigest(text).map(({ digest }) => digest.length)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST', details: { field: 'Content-Digest' } })
          return
        }
        expect(lengths.every((length) => length === 32 || length === 64)).toBe(true)
      }),
    )
  })

  test.each([
    ['', 'empty'],
    ['md5=:1B2M2Y8AsgTpgAmY7PhCfg==:', 'without an algorithm that is checked'],
    ['sha-512=:AAAA:', 'of another length than a SHA-512'],
    [`sha-256=:${'A'.repeat(43)}=:, sha-512=:AAAA:`, 'with one of two of another length'],
    ['sha-256=AAAA', 'not a byte sequence'],
    ['sha-256=:AAAA:', 'of another length'],
    ['sha-256=:AA-_:', 'in the URL alphabet'],
    [`SHA-256=:${'A'.repeat(43)}=:`, 'with an upper-case key'],
    [`sha-256=:${'A'.repeat(43)}=:,`, 'with a comma at the end'],
    [`sha-256=:${'A'.repeat(43)}=:, x`, 'with a member that is no byte sequence'],
  ])('refuses %j (%s)', (text) => {
    expect(() => parseContentDigest(text)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })

  test('reads a header of the greatest length at once', () => {
    const begun = performance.now()
    expect(() => parseContentDigest(`${'a=:AA==:;a;'.repeat(1400)} `)).toThrow()
    expect(() => parseContentDigest(`a=:${'A'.repeat(16_000)}`)).toThrow()
    expect(performance.now() - begun).toBeLessThan(500)
  })
})
