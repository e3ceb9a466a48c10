import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkMountPath,
  checkPublicUrl,
  filesBeside,
  isUnder,
  pathBelow,
  pathOfTarget,
} from '../../../adapters/paths.ts'

describe('checkMountPath', () => {
  test.each(['/files', '/api/v1/uploads', '/a-b_c.d~e'])('accepts %j', (path) => {
    expect(checkMountPath('tusPath', path)).toBe(path)
  })

  test.each([
    '',
    '/',
    'files',
    '/files/',
    '//files',
    '/a//b',
    '/a?b',
    '/a#b',
    '/:id',
    '/*',
    '/a b',
    '/%66',
    '/../a',
    '/a/.',
  ])('refuses %j and names the option', (path) => {
    expect(() => checkMountPath('tusPath', path)).toThrow(/tusPath/)
  })
})

describe('checkPublicUrl', () => {
  test('drops a slash at the end', () => {
    expect(checkPublicUrl('publicUrl', 'https://a.example/')).toBe('https://a.example')
    expect(checkPublicUrl('publicUrl', 'https://a.example:8443/up')).toBe('https://a.example:8443/up')
  })

  test.each([
    '',
    'a.example',
    '/up',
    'ftp://a.example',
    'https://a.example?x=1',
    'https://a.example/#x',
    'https://u@a.example',
  ])('refuses %j and names the option', (text) => {
    expect(() => checkPublicUrl('publicUrl', text)).toThrow(/publicUrl/)
  })
})

describe('pathOfTarget', () => {
  test.each([
    ['/files/a?token=x', '/files/a'],
    ['/files/a?x=/b?c', '/files/a'],
    ['http://a.example/files/a?x', '/files/a'],
    ['http://a.example', '/'],
    ['*', '*'],
    ['?x', '/'],
  ])('of %j is %j', (target, path) => {
    expect(pathOfTarget(target)).toBe(path)
  })
})

describe('pathBelow', () => {
  test.each([
    ['/files', '/'],
    ['/files/', '/'],
    ['/files/a', '/a'],
    ['/files/a/b%2Fc', '/a/b%2Fc'],
    ['/FILES/a', '/a'],
    ['/%66iles/a', '/a'],
    ['//files/a', '/a'],
  ])('of %j is %j', (path, below) => {
    expect(pathBelow(path, '/files')).toBe(below)
  })

  test('is what follows the mount', () => {
    const segment = fc.stringMatching(/^[a-z]{1,5}$/)
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
    fc.assert(
      fc.property(path, path, (mount, rest) => {
        expect(isUnder(mount + rest, mount)).toBe(true)
        expect(pathBelow(mount + rest, mount)).toBe(rest)
      }),
    )
  })
})

describe('filesBeside', () => {
  test.each([
    ['/api/v1/uploads', '/files', '/api/v1/files'],
    ['/v2/transfers', '/files', '/v2/files'],
    ['/uploads', '/tus', '/files'],
    // Where that place is taken.
    ['/uploads', '/files', '/uploads/files'],
    ['/api/v1/uploads', '/api/v1/files', '/api/v1/uploads/files'],
    ['/api/files', '/tus', '/api/files/files'],
  ])('the API at %s and tus at %s are the files at %s', (apiPrefix, tusPath, files) => {
    expect(filesBeside(apiPrefix, tusPath)).toBe(files)
  })
})

test('isUnder wants whole segments', () => {
  expect(isUnder('/files', '/files')).toBe(true)
  expect(isUnder('/files/a', '/files')).toBe(true)
  expect(isUnder('/filesystem', '/files')).toBe(false)
  expect(isUnder('/a/files', '/files')).toBe(false)
})
