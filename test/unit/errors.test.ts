import { readFile } from 'node:fs/promises'
import { describe, expect, it, vi } from 'vitest'
import { ERRORS, type ErrorCode, type ErrorEntry, isUploadError, toUploadError, UploadError } from '../../src/errors.ts'

const rows = Object.entries(ERRORS) as [ErrorCode, ErrorEntry][]

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it failed, open '/var/data/secret'`), { code, path: '/var/data/secret' })
}

describe('the table of errors', () => {
  it('is documented: every code and nothing more, with its statuses', async () => {
    const text = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8')
    const documented = [...text.matchAll(/^\| `(\w+)` \| (\d+) \| (\d+) \| (yes)? ?\|/gm)].map(([, ...cells]) => cells)
    const told = rows.map(([code, { status, tus = status, retry = false }]) => [
      code,
      String(status),
      String(tus),
      retry ? 'yes' : undefined,
    ])
    const byCode = (a: readonly unknown[], b: readonly unknown[]): number => String(a[0]).localeCompare(String(b[0]))
    expect(documented.toSorted(byCode)).toEqual(told.toSorted(byCode))
  })

  it.each([
    [400, ['INVALID_REQUEST', 'INVALID_CHUNK_NUMBER', 'CHUNK_SIZE_MISMATCH']],
    [401, ['UNAUTHENTICATED']],
    [403, ['FORBIDDEN']],
    [404, ['UPLOAD_NOT_FOUND', 'FILE_NOT_FOUND', 'NOT_FOUND']],
    [405, ['METHOD_NOT_ALLOWED']],
    [408, ['TIMEOUT']],
    [409, ['CHUNKS_MISSING', 'CHUNK_CONFLICT', 'OFFSET_MISMATCH', 'UPLOAD_COMPLETED']],
    [410, ['UPLOAD_EXPIRED', 'UPLOAD_CANCELLED', 'UPLOAD_FAILED']],
    [412, ['PRECONDITION_FAILED', 'TUS_VERSION_MISMATCH']],
    [413, ['FILE_TOO_LARGE', 'BODY_TOO_LARGE']],
    [415, ['UNSUPPORTED_MEDIA_TYPE']],
    [416, ['RANGE_NOT_SATISFIABLE']],
    [422, ['CHECKSUM_MISMATCH', 'IDEMPOTENCY_KEY_REUSED']],
    [423, ['UPLOAD_LOCKED']],
    [500, ['INTERNAL']],
    [503, ['STORAGE_UNAVAILABLE', 'STATE_UNAVAILABLE', 'DRAINING']],
    [507, ['STORAGE_FULL']],
  ] as const)('answers %i on the JSON face for %j', (status, codes) => {
    expect(codes.map((code) => new UploadError(code).status)).toEqual(codes.map(() => status))
  })

  it.each(['TIMEOUT', 'UPLOAD_LOCKED', 'STORAGE_UNAVAILABLE', 'STATE_UNAVAILABLE', 'DRAINING'] as const)(
    'calls %s a passing trouble',
    (code) => {
      expect(new UploadError(code).entry.retry).toBe(true)
    },
  )

  it.each(rows.filter(([, entry]) => entry.retry === true))(
    'answers 423 on the tus face for the passing %s, so that clients resume',
    (code) => {
      expect(new UploadError(code).status_code).toBe(423)
    },
  )

  it.each(rows.filter(([, entry]) => entry.retry !== true))('does not tell a tus client to repeat after %s', (code) => {
    expect([423, 429, 503]).not.toContain(new UploadError(code).status_code)
  })

  it('answers a conflict on the tus face with 422, which clients do not repeat', () => {
    expect(new UploadError('CHUNK_CONFLICT').status_code).toBe(422)
  })

  it('answers a wrong checksum on the tus face with its own status', () => {
    expect(new UploadError('CHECKSUM_MISMATCH').status_code).toBe(460)
  })

  it.each(rows)('answers a failure with a status of HTTP for %s, in a sentence without a path', (_code, entry) => {
    for (const status of [entry.status, entry.tus ?? entry.status]) {
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(600)
    }
    expect(entry.message).toMatch(/^[A-Z][^\n\r/\\]+\.$/)
  })
})

describe('an upload error', () => {
  it('has the message of the table unless its thrower knows better', () => {
    expect(new UploadError('FORBIDDEN').message).toBe(ERRORS.FORBIDDEN.message)
    expect(new UploadError('FORBIDDEN', { message: 'Not on Sundays.' }).message).toBe('Not on Sundays.')
  })

  it('carries what a client and the log are told beside the code', () => {
    const cause = new Error('underneath')
    const error = new UploadError('INVALID_REQUEST', { details: { field: 'fileSize' }, cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'UploadError', code: 'INVALID_REQUEST', details: { field: 'fileSize' }, cause })
    expect(new UploadError('INVALID_REQUEST')).not.toHaveProperty('cause')
  })

  it('shows tus clients its message and nothing of its cause', () => {
    const error = new UploadError('INTERNAL', { cause: systemError('EIO') })
    expect(error.body).toBe(`${ERRORS.INTERNAL.message}\n`)
  })

  it('is known as one when it comes from a second copy of the class', async () => {
    vi.resetModules()
    const copy = await import('../../src/errors.ts')
    const error = new copy.UploadError('DRAINING')
    expect(error).not.toBeInstanceOf(UploadError)
    expect(isUploadError(error)).toBe(true)
    expect(toUploadError(error)).toBe(error)
    expect(copy.isUploadError(new UploadError('DRAINING'))).toBe(true)
  })

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a text', 'DRAINING'],
    ['an error that only has a code', Object.assign(new Error('no'), { code: 'DRAINING', status_code: 423 })],
    ['an object of the same shape', { name: 'UploadError', code: 'DRAINING', status_code: 423, body: 'no' }],
  ])('is not to be mistaken for %s', (_what, value) => {
    expect(isUploadError(value)).toBe(false)
  })
})

describe('anything that is thrown', () => {
  it.each([
    ['ENOSPC', 'STORAGE_FULL'],
    ['EDQUOT', 'STORAGE_FULL'],
    ['EIO', 'STORAGE_UNAVAILABLE'],
    ['EROFS', 'STORAGE_UNAVAILABLE'],
    ['EMFILE', 'STORAGE_UNAVAILABLE'],
    ['ENFILE', 'STORAGE_UNAVAILABLE'],
    ['EBUSY', 'STORAGE_UNAVAILABLE'],
    ['ESTALE', 'STORAGE_UNAVAILABLE'],
    ['EACCES', 'STORAGE_UNAVAILABLE'],
    ['EPERM', 'STORAGE_UNAVAILABLE'],
    ['ENOENT', 'INTERNAL'],
    ['ERR_INVALID_STATE', 'INTERNAL'],
  ])('keeps the meaning of %s as %s, and tells clients no path', (from, code) => {
    const thrown = systemError(from)
    const error = toUploadError(thrown)
    expect(error).toMatchObject({ code, cause: thrown })
    expect(`${error.message}${error.body}${JSON.stringify(error.details ?? null)}`).not.toMatch(/[/\\]|secret/)
  })

  it.each([['a text'], [undefined], [null], [{ code: 'ENOSPC' }], [new TypeError('x is not a function')]])(
    'is INTERNAL where nobody foresaw it: %j',
    (thrown) => {
      expect(toUploadError(thrown)).toMatchObject({ code: 'INTERNAL', message: ERRORS.INTERNAL.message })
    },
  )

  it('stays as it is where it is an upload error already', () => {
    const error = new UploadError('CHUNKS_MISSING', { details: { missing: [[0, 1]] } })
    expect(toUploadError(error)).toBe(error)
  })
})
