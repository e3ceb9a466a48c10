import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isUploadError } from '../../../src/errors.ts'
import { matchOperation } from '../../../src/json/match.ts'
import { OPERATIONS } from '../../../src/json/routes.ts'

const ID = randomUUID()

function codeFor(method: string, path: string): string {
  try {
    matchOperation(OPERATIONS, method, path)
    return 'found'
  } catch (error) {
    return isUploadError(error) ? error.code : String(error)
  }
}

describe('matchOperation', () => {
  test.each([
    ['GET', '/', '/', ''],
    ['GET', '', '/', ''],
    ['POST', '/initiate', '/initiate', ''],
    ['GET', `/${ID}`, '/:id', ID],
    ['DELETE', `/${ID}`, '/:id', ID],
    ['GET', `/${ID}/progress`, '/:id/progress', ID],
    ['POST', `/${ID}/chunks`, '/:id/chunks', ID],
    ['POST', `/${ID}/complete`, '/:id/complete', ID],
    ['POST', `/${ID}/resume`, '/:id/resume', ID],
    ['GET', `/${ID}/`, '/:id', ID],
    ['GET', `/${ID.replaceAll('-', '%2D')}`, '/:id', ID],
  ])('%s %s is %s', (method, path, pattern, id) => {
    const match = matchOperation(OPERATIONS, method, path)
    expect(match.operation).toMatchObject({ method, pattern })
    expect(match.id).toBe(id)
  })

  test.each([
    ['an encoded slash', `/${ID}%2Fprogress`],
    ['200 characters', `/${'a'.repeat(200)}`],
    ['NUL', '/%00'],
    ['a malformed escape', '/%E0%A4%A'],
    ['a path', '/..%2f..%2fetc%2fpasswd'],
    ['upper case, which some file systems take for the same', `/${ID.toUpperCase()}`],
    ['an id encoded twice', `/${encodeURIComponent(encodeURIComponent(`${ID}/`))}`],
  ])('answers UPLOAD_NOT_FOUND for an id with %s', (_what, path) => {
    expect(codeFor('GET', path)).toBe('UPLOAD_NOT_FOUND')
    expect(codeFor('POST', `${path}/chunks`)).toBe('UPLOAD_NOT_FOUND')
  })

  test.each(['//', `/${ID}/nope`, `/${ID}/progress/x`, `//${ID}`, `/${ID}//`])('answers NOT_FOUND for %j', (path) => {
    expect(codeFor('GET', path)).toBe('NOT_FOUND')
  })

  test.each([
    ['GET', '/initiate', ['POST']],
    ['DELETE', '/initiate', ['POST']],
    ['PUT', `/${ID}`, ['GET', 'DELETE']],
    ['HEAD', `/${ID}/progress`, ['GET']],
    ['GET', `/${ID}/chunks`, ['POST']],
  ])('refuses %s %s and says what is supported', (method, path, allow) => {
    expect(() => matchOperation(OPERATIONS, method, path)).toThrow(
      expect.objectContaining({ code: 'METHOD_NOT_ALLOWED', details: { allow } }),
    )
  })

  test('gives operations nothing but ids in the one form they are made in', () => {
    const paths = fc.oneof(
      fc.webPath(),
      fc.string(),
      fc.string().map((text) => `/${encodeURIComponent(text)}/chunks`),
    )
    fc.assert(
      fc.property(fc.constantFrom('GET', 'POST', 'DELETE'), paths, (method, path) => {
        try {
          const { id } = matchOperation(OPERATIONS, method, path)
          expect(id).toMatch(/^$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
        } catch (error) {
          expect(isUploadError(error)).toBe(true)
        }
      }),
    )
  })
})
