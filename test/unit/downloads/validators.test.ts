import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { namesTag, validatorsOf } from '../../../src/downloads/validators.ts'
import { aFile } from '../../support/file-samples.ts'

describe('the validators of a file', () => {
  it('are a strong tag and a time in whole seconds', () => {
    const { etag, lastModified } = validatorsOf(aFile({ uploadedAt: 1_234_567 }))
    expect(etag).toMatch(/^"[\x21\x23-\x7e]+"$/)
    expect(lastModified).toBe(1_234_000)
  })

  it('stay the same when the checksum becomes known', () => {
    const file = aFile({ checksum: null })
    expect(validatorsOf({ ...file, checksum: 'ab'.repeat(32) })).toEqual(validatorsOf(file))
  })

  it('differ between two files', () => {
    expect(validatorsOf(aFile()).etag).not.toBe(validatorsOf(aFile()).etag)
  })
})

describe('a list of tags', () => {
  it.each(['"a"', '*', ' * ', '"b", "a"', '"b","a"', ' , "a" ,', '"b,c", "a"', '"a", junk'])(
    'names "a": %s',
    (list) => {
      expect(namesTag(list, '"a"', { weak: false })).toBe(true)
    },
  )

  it.each(['', '"b"', '"A"', 'a', "'a'", '"b, "a"', '"b" *', 'x "a"', '"', 'W/ "a"', 'w/"a"'])(
    'does not name "a": %j',
    (list) => {
      expect(namesTag(list, '"a"', { weak: true })).toBe(false)
    },
  )

  it('names by a weak tag only where weak ones count', () => {
    expect(namesTag('W/"a"', '"a"', { weak: true })).toBe(true)
    expect(namesTag('W/"a"', '"a"', { weak: false })).toBe(false)
    expect(namesTag('W/"a", "a"', '"a"', { weak: false })).toBe(true)
  })

  it('names each of the tags that it was made of, and none else', () => {
    const char = fc.constantFrom('a', 'b', ',', 'W/', '*', '\u00ff', '!')
    const tag = fc.array(char, { maxLength: 4 }).map((chars) => `"${chars.join('')}"`)
    const separator = fc.constantFrom(',', ', ', ' ,\t', ',,')
    fc.assert(
      fc.property(fc.array(tag, { minLength: 1 }), tag, separator, (tags, other, between) => {
        const list = tags.join(between)
        for (const one of tags) expect(namesTag(list, one, { weak: false })).toBe(true)
        expect(namesTag(list, other, { weak: false })).toBe(tags.includes(other))
      }),
    )
  })

  it('of great length is read in little time', () => {
    const begun = performance.now()
    expect(namesTag('"b", '.repeat(100_000), '"a"', { weak: true })).toBe(false)
    expect(namesTag(`"${'W/'.repeat(100_000)}`, '"a"', { weak: true })).toBe(false)
    expect(performance.now() - begun).toBeLessThan(1000)
  })
})
