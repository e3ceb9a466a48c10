import { validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatUploadMetadata, parseUploadMetadata } from '../../../src/tus/upload-metadata.ts'
import type { Json, Upload } from '../../../src/upload.ts'
import { aManifest, anUpload } from '../../support/upload-samples.ts'

const INVALID = expect.objectContaining({ code: 'INVALID_REQUEST', details: { field: 'Upload-Metadata' } })
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const pair = (key: string, value: string): string => `${key} ${base64(value)}`
const RESERVED = ['filename', 'name', 'filetype', 'type']

/** Any code point but a surrogate. (fast-check's own `binary` takes seconds to set up.) */
const codePoint = fc.nat(0x10ffff - 0x800).map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800))

/** An upload that a face without attributes has created. */
function madeByJson(
  metadata: { readonly [key: string]: Json },
  fileName = 'a.txt',
  contentType = 'text/plain',
): Upload {
  return anUpload({ manifest: aManifest({ fileName, contentType, metadata, attributes: {} }) })
}

/** The header as the specification reads it. */
function decoded(header: string | null): [key: string, value: string][] {
  return (header ?? '').split(',').map((one) => {
    const [key = '', value = '', ...rest] = one.split(' ')
    expect(rest).toEqual([])
    return [key, Buffer.from(value, 'base64').toString()]
  })
}

describe('Upload-Metadata that is read', () => {
  it('names the file, its type and what else there is', () => {
    const header = [pair('filename', 'été 🎬.mov'), pair('filetype', 'video/quicktime'), pair('album', 'Zürich')].join(
      ',',
    )
    expect(parseUploadMetadata(header)).toEqual({
      fileName: 'été 🎬.mov',
      contentType: 'video/quicktime',
      metadata: { album: 'Zürich' },
      attributes: { 'Upload-Metadata': header },
    })
  })

  it.each([
    ['filename over name', `${pair('name', 'b')},${pair('filename', 'a')}`, 'a'],
    ['name where there is no filename', pair('name', 'b'), 'b'],
    ['name where filename is empty', `filename ,${pair('name', 'b')}`, 'b'],
    ['name where filename has no value', `filename,${pair('name', 'b')}`, 'b'],
    ['a name of our own where there is none', pair('album', 'summer'), 'unnamed'],
  ])('takes %s', (_what, header, fileName) => {
    expect(parseUploadMetadata(header).fileName).toBe(fileName)
  })

  it.each([
    ['filetype over type', `${pair('type', 'b/b')},${pair('filetype', 'a/a')}`, 'a/a'],
    ['type where there is no filetype', pair('type', 'b/b'), 'b/b'],
  ])('takes %s', (_what, header, contentType) => {
    expect(parseUploadMetadata(header).contentType).toBe(contentType)
  })

  it.each([['image'], ['image/png\r\nX: y'], ['not a type'], [`a/${'b'.repeat(300)}`], ['']])(
    'does without a filetype that is none: %j',
    (filetype) => {
      const input = parseUploadMetadata(`${pair('filename', 'a')},${pair('filetype', filetype)}`)
      expect(input).not.toHaveProperty('contentType')
      expect(input).toMatchObject({ fileName: 'a', metadata: {} })
    },
  )

  it('does without a filetype that no header can hold', () => {
    for (const char of ['\0', '\x1b', '🎬']) {
      expect(parseUploadMetadata(pair('filetype', `text/plain; a="${char}"`))).not.toHaveProperty('contentType')
    }
  })

  it('is nothing but a name of our own where there is none, and is not told back', () => {
    const parsed = parseUploadMetadata(undefined)
    expect(parsed).toEqual({ fileName: 'unnamed', attributes: { 'Upload-Metadata': '' } })
    expect(
      formatUploadMetadata(anUpload({ manifest: aManifest({ attributes: { 'Upload-Metadata': '' } }) })),
    ).toBeNull()
  })

  it('may have white space behind its commas, as lists of HTTP may, which is not told back', () => {
    expect(parseUploadMetadata('filename YQ==, album Yg==,\t is_confidential')).toMatchObject({
      fileName: 'a',
      metadata: { album: 'b', is_confidential: null },
      attributes: { 'Upload-Metadata': 'filename YQ==,album Yg==,is_confidential' },
    })
  })

  it('has null for a key without a value', () => {
    expect(parseUploadMetadata('is_confidential').metadata).toEqual({ is_confidential: null })
  })

  it.each([
    ['empty', ''],
    ['of spaces', '  '],
    ['not Base64', 'filename $$$$'],
    ['Base64 of a wrong length', 'filename YQ'],
    ['of two values', 'filename YQ== YQ=='],
    ['of two spaces', 'filename  YQ=='],
    ['with an empty pair', 'filename YQ==,,album YQ=='],
    ['with a comma at its end', 'filename YQ==,'],
    ['with a key twice', 'album YQ==,album Yg=='],
    ['with a key that is not ASCII', 'älbum YQ=='],
  ])('is refused when it is %s', (_what, header) => {
    expect(() => parseUploadMetadata(header)).toThrow(INVALID)
  })

  it('holds any key the specification allows, also one that every object has', () => {
    for (const key of ['toString', 'constructor', 'hasOwnProperty', '__proto__']) {
      const { metadata } = parseUploadMetadata(pair(key, 'x'))
      expect(Object.entries(metadata ?? {})).toEqual([[key, 'x']])
    }
  })

  it.each([['__proto__'], [pair('__proto__', '{"admin":true}')], [`${pair('a', 'b')},__proto__`]])(
    'never changes a prototype: %j',
    (header) => {
      let metadata: object = {}
      expect(() => {
        metadata = parseUploadMetadata(header).metadata ?? {}
      }).not.toThrow(TypeError)
      expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype)
      expect({}).not.toHaveProperty('admin')
    },
  )
})

describe('Upload-Metadata that is written', () => {
  it('is what the client sent, to the letter', () => {
    const header = `${pair('type', 'x')},filename ,is_confidential,${pair('name', 'b')}`
    const manifest = aManifest({ attributes: parseUploadMetadata(header).attributes ?? {}, fileName: 'other' })
    expect(formatUploadMetadata(anUpload({ manifest }))).toBe(header)
  })

  it('tells of an upload that the JSON API created what that said', () => {
    const upload = madeByJson({ album: 'été', year: 2024, tags: ['a', { b: null }], done: true, none: null, empty: '' })
    expect(decoded(formatUploadMetadata(upload))).toEqual([
      ['filename', 'a.txt'],
      ['filetype', 'text/plain'],
      ['album', 'été'],
      ['year', '2024'],
      ['tags', '["a",{"b":null}]'],
      ['done', 'true'],
      ['none', 'null'],
      ['empty', ''],
    ])
  })

  it('leaves out what no key can say, and keys that mean something else here', () => {
    const metadata = {
      'my key': 'a',
      'a,b': 'b',
      '': 'c',
      ключ: 'd',
      'a\nb': 'e',
      filename: 'f',
      name: 'g',
      filetype: 'h',
      type: 'i',
    }
    expect(decoded(formatUploadMetadata(madeByJson(metadata)))).toEqual([
      ['filename', 'a.txt'],
      ['filetype', 'text/plain'],
    ])
  })

  it('does not lose a key that every object has', () => {
    const metadata = JSON.parse('{"__proto__":"x","constructor":"y","toString":"z"}') as { [key: string]: Json }
    expect(decoded(formatUploadMetadata(madeByJson(metadata))).slice(2)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
      ['toString', 'z'],
    ])
  })

  it('is always a header that can be sent', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: codePoint }), fc.jsonValue()),
        fc.string({ unit: codePoint }),
        (metadata, name) => {
          const header = formatUploadMetadata(madeByJson(metadata as { [key: string]: Json }, name)) ?? ''
          expect(header).toMatch(/^[\x20-\x7e]*$/)
          expect(() => validateHeaderValue('Upload-Metadata', header)).not.toThrow()
        },
      ),
    )
  })

  it('is read back as the same file and the same texts, in any script', () => {
    const key = fc
      .stringMatching(/^[\x21-\x2b\x2d-\x7e]+$/)
      .filter((key) => !RESERVED.includes(key) && !(key in Object.prototype))
    const value = fc.string({ unit: codePoint, minLength: 1 })
    fc.assert(
      fc.property(fc.dictionary(key, value), value, (metadata, fileName) => {
        const header = formatUploadMetadata(madeByJson(metadata, fileName, 'text/plain; charset=utf-8')) ?? ''
        const { attributes, ...read } = parseUploadMetadata(header)
        expect(read).toEqual({ fileName, contentType: 'text/plain; charset=utf-8', metadata: { ...metadata } })
        expect(attributes).toEqual({ 'Upload-Metadata': header })
      }),
    )
  })
})
