import { validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentDisposition } from '../../src/content-disposition.ts'

/** RFC 6266: a quoted form, and an extended one (RFC 5987) where the quoted one does not tell all. */
const HEADER =
  /^attachment; filename="(?<quoted>(?:[ !#-[\]-~]|\\["\\])*)"(?:; filename\*=UTF-8''(?<extended>(?:[\w!#$&+.^`|~-]|%[\dA-F]{2})*))?$/

function read(header: string): { readonly quoted: string; readonly extended: string | null } {
  const groups = HEADER.exec(header)?.groups ?? {}
  const { quoted = 'not a header', extended } = groups
  return {
    quoted: quoted.replace(/\\(.)/g, '$1'),
    extended: extended === undefined ? null : decodeURIComponent(extended),
  }
}

/** Any code point but a surrogate. (fast-check's own `binary` takes seconds to set up.) */
const codePoint = fc.nat(0x10ffff - 0x800).map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800))

const anyName = fc.oneof(
  fc.string({ unit: codePoint }),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('"', '\\', "'", '%', ';', '*', '\r', '\n', '\0', '\x7f', 'a', ' ', '🎬') }),
)

describe('Content-Disposition', () => {
  it.each([
    ['holiday.mov', 'attachment; filename="holiday.mov"'],
    ['my holiday.mov', `attachment; filename="my holiday.mov"; filename*=UTF-8''my%20holiday.mov`],
    ['a"b\\c', `attachment; filename="a\\"b\\\\c"; filename*=UTF-8''a%22b%5Cc`],
    ['été.txt', `attachment; filename="_t_.txt"; filename*=UTF-8''%C3%A9t%C3%A9.txt`],
    ['🎬.mov', `attachment; filename="__.mov"; filename*=UTF-8''%F0%9F%8E%AC.mov`],
    ["it's (1)*.txt", `attachment; filename="it's (1)*.txt"; filename*=UTF-8''it%27s%20%281%29%2A.txt`],
    ['100%.txt', `attachment; filename="100%.txt"; filename*=UTF-8''100%25.txt`],
    ['a\r\nSet-Cookie: b', `attachment; filename="a__Set-Cookie: b"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b`],
  ])('of %j is %s', (name, header) => {
    expect(contentDisposition(name)).toBe(header)
  })

  it('never holds a control character, and is always a header that Node sends', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const header = contentDisposition(name)
        expect(header).toMatch(/^[\x20-\x7e]*$/)
        expect(() => validateHeaderValue('Content-Disposition', header)).not.toThrow()
      }),
    )
  })

  it('gives back the true name, in the extended form unless the plain one tells it all', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const header = contentDisposition(name)
        expect(header).toMatch(HEADER)
        const { quoted, extended } = read(header)
        expect(extended ?? quoted).toBe(name)
      }),
    )
  })

  it('gives old clients the name as it is where it is ASCII', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), (name) => {
        expect(read(contentDisposition(name)).quoted).toBe(name)
      }),
    )
  })
})
