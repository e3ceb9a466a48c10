import { validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkCreateInput, type CreateInput, isMediaType, parseCreateInput } from '../../src/create-input.ts'
import { isUploadError } from '../../src/errors.ts'

const good = { fileName: 'holiday.mov', fileSize: 10 }
const FIELDS = ['fileName', 'fileSize', 'contentType', 'metadata', 'chunkSize', 'checksum']
const invalid = (field: string) => expect.objectContaining({ code: 'INVALID_REQUEST', details: { field } })
const initiate = (parts: Record<string, unknown>) => (): CreateInput => parseCreateInput({ ...good, ...parts })

/** Any code point but a surrogate. (fast-check's own `binary` takes seconds to set up.) */
const codePoint = fc.nat(0x10ffff - 0x800).map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800))

/** JSON of so many bytes, nested and in letters of two bytes. */
function metadataOf(bytes: number): { a: { b: string[] } } {
  const empty = JSON.stringify({ a: { b: [''] } }).length
  return { a: { b: ['é'.repeat((bytes - empty) >> 1) + 'x'.repeat((bytes - empty) & 1)] } }
}

describe('the body of an initiate', () => {
  it('is taken as it is', () => {
    const body = {
      ...good,
      contentType: 'video/mp4',
      metadata: { a: [1, null] },
      chunkSize: 7,
      checksum: 'a'.repeat(64),
    }
    expect(parseCreateInput(body)).toEqual(body)
  })

  it.each([[undefined], [null], ['{}'], [1], [true], [[]], [[good]]])('must be an object, not %j', (body) => {
    expect(() => parseCreateInput(body)).toThrow(invalid('body'))
  })

  it('may hold fields that nobody knows, which are ignored', () => {
    const attributes = { 'Upload-Metadata': 'a b\r\nSet-Cookie: c' }
    expect(parseCreateInput({ ...good, attributes, owner: 'eve', id: '1', size: 3 })).toEqual(good)
  })

  it('takes nothing from a prototype that it names', () => {
    expect(() => parseCreateInput(JSON.parse('{"__proto__": {"fileName": "a", "fileSize": 1}}'))).toThrow(
      invalid('fileName'),
    )
  })
})

describe('fileSize', () => {
  it.each([
    [-1],
    [0.5],
    [2 ** 53],
    [1e300],
    [Number.NaN],
    [Infinity],
    ['10'],
    [''],
    [true],
    [null],
    [undefined],
    [[10]],
    [{}],
  ])('is not %j', (fileSize) => {
    expect(initiate({ fileSize })).toThrow(invalid('fileSize'))
  })

  it.each([[0], [1], [2 ** 53 - 1]])('may be %i', (fileSize) => {
    expect(initiate({ fileSize })().fileSize).toBe(fileSize)
  })

  it('may be unknown where a face can defer it', () => {
    expect(checkCreateInput({ ...good, fileSize: null }).fileSize).toBeNull()
  })
})

describe('fileName', () => {
  it.each([
    ['empty', ''],
    ['a path upwards', '../holiday.mov'],
    ['a path', 'a/b'],
    ['an absolute path', '/etc/passwd'],
    ['a path of Windows', 'a\\b'],
    ['the folder itself', '.'],
    ['the folder above', '..'],
    ['a name with NUL', 'a\0.mov'],
    ['a name with a line break', 'a\r\nb'],
    ['a name with DEL', 'a\x7f'],
    ['a name with a C1 control', 'a\u0085b'],
    ['300 bytes', 'a'.repeat(300)],
    ['256 bytes', 'a'.repeat(256)],
    ['64 emoji: 256 bytes', '🎬'.repeat(64)],
    ['a lone high surrogate', 'a\ud83c'],
    ['a lone low surrogate', '\udfac.mov'],
    ['a number', 1],
    ['null', null],
    ['missing', undefined],
    ['an array', ['a']],
  ])('is not %s', (_what, fileName) => {
    expect(initiate({ fileName })).toThrow(invalid('fileName'))
  })

  it.each([
    ['255 bytes', 'a'.repeat(255)],
    ['emoji of 255 bytes', `${'🎬'.repeat(63)}abc`],
    ['three dots', '...'],
    ['hidden', '.env'],
    ['of any script', 'été 夏 صيف (1).tar.gz'],
    ['a family', '👨‍👩‍👧'],
    ['the name of a prototype', '__proto__'],
  ])('may be %s', (_what, fileName) => {
    expect(initiate({ fileName })().fileName).toBe(fileName)
  })
})

describe('contentType', () => {
  it.each([
    ['image'],
    ['image/'],
    ['/png'],
    ['image/png\r\nX: 1'],
    ['image/png, text/html'],
    ['a b/c'],
    [`a/${'b'.repeat(254)}`],
  ])('is not %j', (contentType) => {
    expect(initiate({ contentType })).toThrow(invalid('contentType'))
  })

  it.each([[1], [null], [true], [['image/png']], [{}]])('is a string, not %j', (contentType) => {
    expect(initiate({ contentType })).toThrow(invalid('contentType'))
  })

  it.each([
    ['image/png'],
    ['text/plain; charset=utf-8'],
    ['text/plain;charset="utf-8"; a="b;\\"c"'],
    ['application/vnd.a+json'],
  ])('may be %s', (contentType) => {
    expect(initiate({ contentType })().contentType).toBe(contentType)
  })

  it('is the default where it is absent or empty', () => {
    expect(parseCreateInput(good)).not.toHaveProperty('contentType')
    expect(initiate({ contentType: '' })()).not.toHaveProperty('contentType')
  })

  it.each([
    ['NUL', '\0'],
    ['ESC', '\x1b'],
    ['DEL', '\x7f'],
    ['emoji', '🎬'],
    ['snowman', '☃'],
  ])('holds no %s, in quotes either, as it is going to be a header', (_what, char) => {
    expect(isMediaType(`text/plain; a="${char}"`)).toBe(false)
    expect(isMediaType(`text/plain; a="\\${char}"`)).toBe(false)
  })

  it('can always be sent as a header where it is accepted', () => {
    const text = fc.string({ unit: codePoint })
    const type = fc.oneof(
      text,
      text.map((value) => `text/plain; a="${value}"`),
      fc.tuple(text, text).map(([a, b]) => `${a}/${b}`),
    )
    fc.assert(
      fc.property(type, (contentType) => {
        if (isMediaType(contentType)) expect(() => validateHeaderValue('Content-Type', contentType)).not.toThrow()
      }),
    )
  })
})

describe('metadata', () => {
  it.each([[[]], [[{ a: 1 }]], ['{}'], [1], [true], [null]])('is an object, not %j', (metadata) => {
    expect(initiate({ metadata })).toThrow(invalid('metadata'))
  })

  it('may have 8 KiB as JSON, and not one byte more', () => {
    const most = metadataOf(8 * 1024)
    expect(Buffer.byteLength(JSON.stringify(most))).toBe(8 * 1024)
    expect(initiate({ metadata: most })().metadata).toBe(most)
    expect(initiate({ metadata: metadataOf(8 * 1024 + 1) })).toThrow(invalid('metadata'))
  })

  it('is refused, not fatal, where it is nested deeper than the stack reaches', () => {
    const depth = 100_000
    const metadata: unknown = JSON.parse(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`)
    expect(initiate({ metadata })).toThrow(invalid('metadata'))
  })
})

describe('chunkSize', () => {
  it.each([['5'], [null], [true], [[5]], [{}]])('is a number, not %j', (chunkSize) => {
    expect(initiate({ chunkSize })).toThrow(invalid('chunkSize'))
  })
})

describe('checksum', () => {
  it.each([
    [1],
    [null],
    [''],
    ['a'.repeat(63)],
    ['a'.repeat(65)],
    ['g'.repeat(64)],
    [` ${'a'.repeat(63)}`],
    [`${'a'.repeat(64)}\n`],
  ])('is 64 hexadecimal digits, not %j', (checksum) => {
    expect(initiate({ checksum })).toThrow(invalid('checksum'))
  })

  it('is compared in lower case, however it is written', () => {
    expect(initiate({ checksum: 'AB'.repeat(32) })().checksum).toBe('ab'.repeat(32))
  })
})

describe('any JSON at all', () => {
  const json = fc.jsonValue()
  const likely = fc.record(
    {
      fileName: fc.oneof(fc.string(), fc.constant('a.txt'), json),
      fileSize: fc.oneof(fc.maxSafeNat(), fc.double(), json),
      contentType: fc.oneof(fc.constant('text/plain'), fc.constant(''), json),
      metadata: fc.oneof(fc.dictionary(fc.string(), json), json),
      chunkSize: fc.oneof(fc.maxSafeNat(), json),
      checksum: fc.oneof(fc.constant('aB'.repeat(32)), json),
      extra: json,
    },
    { requiredKeys: [] },
  )
  const plausible = likely.map((body) => ({ ...good, ...body }))

  function parsed(body: unknown): { readonly input: CreateInput } | { readonly error: unknown } {
    try {
      return { input: parseCreateInput(body) }
    } catch (error) {
      return { error }
    }
  }

  it('is either taken without being coerced, or refused with the name of the field', () => {
    fc.assert(
      fc.property(fc.oneof(json, likely, plausible), (body) => {
        const outcome = parsed(body)
        if ('error' in outcome) {
          const { error } = outcome
          if (!isUploadError(error)) throw error
          expect(error.code).toBe('INVALID_REQUEST')
          const field = error.details?.['field']
          expect([...FIELDS, 'body']).toContain(field)
          expect(error.message).toContain(field)
          return
        }
        const given = body as Record<string, unknown>
        for (const [field, value] of Object.entries(outcome.input)) {
          expect(FIELDS).toContain(field)
          if (field === 'checksum') expect(value).toBe(String(given[field]).toLowerCase())
          else expect(value).toBe(given[field])
        }
        for (const field of FIELDS) {
          const absent = given[field] === undefined || (field === 'contentType' && given[field] === '')
          expect(field in outcome.input).toBe(!absent)
        }
      }),
      { numRuns: 500 },
    )
  })
})
