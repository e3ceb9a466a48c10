import { expect, test } from 'vitest'
import { foreignType } from '../../src/sniff.ts'
import { EXE, JPEG, PNG, SVG, ZIP } from '../support/marked-files.ts'

const IMAGES = ['image/*']

test.each<[string, Buffer, string, readonly string[]]>([
  ['what it says', PNG, 'image/png', IMAGES],
  ['another type that is allowed', JPEG, 'image/png', IMAGES],
  ['a text, which has no mark', Buffer.from('hello'), 'text/plain', ['text/plain']],
  ['anything of no type, where that is allowed', Buffer.from('hello'), 'application/octet-stream', ['*/*']],
  ['XML that is drawn', SVG, 'image/svg+xml', IMAGES],
  ['an archive that is a book', ZIP, 'application/epub+zip', ['application/epub+zip']],
])('a file may be %s', async (_, bytes, declared, allowed) => {
  expect(await foreignType(bytes, declared, allowed)).toBeNull()
})

test.each<[string, Buffer, string, readonly string[], string]>([
  ['a program as an image', EXE, 'image/png', IMAGES, 'application/x-msdownload'],
  ['a program as a text', EXE, 'text/plain', ['text/plain'], 'application/x-msdownload'],
  [
    'a program as nothing in particular',
    EXE,
    'application/octet-stream',
    ['application/octet-stream'],
    'application/x-msdownload',
  ],
  ['an archive as an image', ZIP, 'image/png', IMAGES, 'application/zip'],
  ['XML as an image that is none', SVG, 'image/png', IMAGES, 'application/xml'],
  ['a text as an image', Buffer.from('hello'), 'image/png', IMAGES, 'unknown'],
  ['a text as an image, in other letters', Buffer.from('hello'), 'IMAGE/PNG; a=b', IMAGES, 'unknown'],
])('a file may not be %s', async (_, bytes, declared, allowed, found) => {
  expect(await foreignType(bytes, declared, allowed)).toBe(found)
})
