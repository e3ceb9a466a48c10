import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseContentDigest } from '../../../../src/json/headers/content-digest.ts'

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))
const other = fc.constantFrom('sha-512=:AAAA:', 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:', 'unixsum=::', 'x*=:AA==:;a;b="c"')
const space = fc.constantFrom('', ' ', '  ')

describe('parseContentDigest', () => {
  test('finds sha-256 among other algorithms, wherever it stands', () => {
    fc.assert(
      fc.property(digest, fc.array(other), fc.array(other), space, (bytes, before, after, gap) => {
        const text = [...before, `sha-256=:${bytes.toString('base64')}:`, ...after].join(`${gap},${gap}`)
        expect(parseContentDigest(text)).toBe(bytes.toString('hex'))
      }),
    )
  })

  test('takes the last of two sha-256, as RFC 8941 has it', () => {
    fc.assert(
      fc.property(digest, digest, (first, last) => {
        const text = `sha-256=:${first.toString('base64')}:, sha-256=:${last.toString('base64')}:`
        expect(parseContentDigest(text)).toBe(last.toString('hex'))
      }),
    )
  })

  test('answers with 64 hexadecimal digits or INVALID_REQUEST, whatever it is given', () => {
    const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'sha-256=:;, "AQ/+'.split('')) }))
    fc.assert(
      fc.property(texts, (text) => {
        let hex: string | undefined
        try {
          hex = parseContentDigest(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST', details: { field: 'Content-Digest' } })
          return
        }
        expect(hex).toMatch(/^[0-9a-f]{64}$/)
      }),
    )
  })

  test('has nothing to say without the header', () => {
    expect(parseContentDigest(undefined)).toBeUndefined()
  })

  test.each([
    ['', 'empty'],
    ['sha-512=:AAAA:', 'without sha-256'],
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
