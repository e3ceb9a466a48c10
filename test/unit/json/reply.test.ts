import { describe, expect, test } from 'vitest'
import { ERRORS, UploadError, type ErrorCode } from '../../../src/errors.ts'
import { failureReply, successReply } from '../../../src/json/reply.ts'

const COMMON = {
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
}

describe('failureReply', () => {
  test.each(Object.keys(ERRORS) as ErrorCode[])('answers %s with the status and message of the table', (code) => {
    const { status, headers, body } = failureReply(new UploadError(code), 'r-1')
    const entry: { status: number; message: string; retry?: boolean } = ERRORS[code]
    expect(status).toBe(entry.status)
    expect(headers).toMatchObject(COMMON)
    expect(headers['Retry-After']).toBe(entry.retry === true ? '1' : undefined)
    expect(JSON.parse(body)).toEqual({
      success: false,
      error: { code, message: entry.message, requestId: 'r-1' },
    })
  })

  test('tells the details', () => {
    const { body } = failureReply(new UploadError('CHUNKS_MISSING', { details: { missing: [[0, 2]] } }), 'r-1')
    expect(JSON.parse(body).error.details).toEqual({ missing: [[0, 2]] })
  })

  test('tells nothing of an error that nobody foresaw, and keeps it for the log', () => {
    const thrown = new Error('secret /var/lib/holdfast')
    const { status, body, error } = failureReply(thrown, 'r-1')
    expect(status).toBe(500)
    expect(body).not.toContain('secret')
    expect(error).toMatchObject({ code: 'INTERNAL', cause: thrown })
  })

  test('lists the methods of an address that has others', () => {
    const { headers } = failureReply(
      new UploadError('METHOD_NOT_ALLOWED', { details: { allow: ['GET', 'DELETE'] } }),
      'r',
    )
    expect(headers['Allow']).toBe('GET, DELETE')
  })
})

test('successReply carries the same headers and those it is given', () => {
  const reply = successReply(201, { data: { a: 1 } }, { Location: '/x' })
  expect(reply).toEqual({
    status: 201,
    headers: { ...COMMON, Location: '/x' },
    body: '{"success":true,"data":{"a":1}}',
  })
})
