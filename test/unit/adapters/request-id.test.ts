import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { requestIdOf } from '../../../adapters/request-id.ts'

function request(id?: unknown, header?: string): IncomingMessage {
  const raw = new IncomingMessage(new Socket())
  if (header !== undefined) raw.headers['x-request-id'] = header
  return id === undefined ? raw : Object.assign(raw, { id })
}

test('takes over the id that a middleware or the client gave', () => {
  expect(requestIdOf(request('a-1', 'b-2'))).toBe('a-1')
  expect(requestIdOf(request(undefined, 'b-2'))).toBe('b-2')
  expect(requestIdOf(request(7, 'b-2'))).toBe('b-2')
})

test.each([undefined, '', 'a b', 'a\nb', '"', 'a'.repeat(129)])('makes a new one instead of %j', (header) => {
  expect(requestIdOf(request(undefined, header))).toMatch(/^[0-9a-f-]{36}$/)
})
