import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { MAX_JSON_BYTES, readJson } from '../../../src/json/read-json.ts'
import { readNoInput } from '../../../src/json/read-no-input.ts'

const OPTIONS = { timeoutMs: 60_000, draining: () => false }
const JSON_TYPE = { 'content-type': 'application/json' }

/** A request with these pieces of body; null is its end, and without it the body goes on. */
function request(pieces: readonly (string | Buffer | null)[], headers: Record<string, string> = {}): IncomingMessage {
  const raw = new IncomingMessage(new Socket())
  Object.assign(raw.headers, { 'transfer-encoding': 'chunked' }, headers)
  for (const piece of pieces) raw.push(piece)
  return raw
}

describe('readJson', () => {
  test('reads a body that comes in pieces', async () => {
    await expect(readJson(request(['{"a":', '"é', '"}', null]), OPTIONS)).resolves.toEqual({ a: 'é' })
  })

  test('reads nothing out of an empty body', async () => {
    await expect(readJson(request([null]), OPTIONS)).resolves.toBeUndefined()
  })

  test.each([['{'], ['{"a":1}x'], ["{'a':1}"], [Buffer.from([0x22, 0xff, 0x22])], ['\u{0}']])(
    'refuses %j',
    async (body) => {
      await expect(readJson(request([body, null]), OPTIONS)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    },
  )

  test('reads a body whatever the one before it was', async () => {
    // The first bytes of a character, and nothing after them.
    await expect(readJson(request([Buffer.from([0x22, 0xe2, 0x82]), null]), OPTIONS)).rejects.toThrow('UTF-8')
    await expect(readJson(request(['\u{feff}"€"', null]), OPTIONS)).resolves.toBe('€')
    await expect(readJson(request(['\u{feff}"€"', null]), OPTIONS)).resolves.toBe('€')
  })

  test('takes a body of the greatest size, and refuses one byte more without reading on', async () => {
    const most = `"${'a'.repeat(MAX_JSON_BYTES - 2)}"`
    await expect(readJson(request([most, null]), OPTIONS)).resolves.toHaveLength(MAX_JSON_BYTES - 2)
    const raw = request([most, ' '])
    await expect(readJson(raw, OPTIONS)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
    expect(raw.destroyed).toBe(false)
    expect(raw.isPaused()).toBe(true)
  })

  test('refuses a body that says it is too large before it comes', async () => {
    const raw = request([])
    delete raw.headers['transfer-encoding']
    raw.headers['content-length'] = String(MAX_JSON_BYTES + 1)
    await expect(readJson(raw, OPTIONS)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
  })

  test('gives up on a body that stalls, and leaves the connection alone', async () => {
    const raw = request(['{'])
    await expect(readJson(raw, { ...OPTIONS, timeoutMs: 10 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(raw.destroyed).toBe(false)
    expect(raw.listenerCount('data')).toBe(0)
  })

  test('does not wait for a body when the server shuts down', async () => {
    await expect(readJson(request(['{']), { ...OPTIONS, draining: () => true })).rejects.toMatchObject({
      code: 'DRAINING',
    })
  })

  test('ends when the client goes away', async () => {
    const raw = request(['{'])
    setTimeout(() => raw.destroy(), 10)
    await expect(readJson(raw, OPTIONS)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })
})

describe('readNoInput', () => {
  test.each([
    ['no body', request([])],
    ['an empty body of unknown length', request([null])],
    ['an empty body with a JSON type', request([null], JSON_TYPE)],
    ['an empty body of another type', request([null], { 'content-type': 'text/plain' })],
    ['{}', request(['{}', null], JSON_TYPE)],
    ['an object with fields, which mean nothing', request(['{"a":1}', null], JSON_TYPE)],
  ])('accepts %s', async (what, raw) => {
    if (what === 'no body') delete raw.headers['transfer-encoding']
    await expect(readNoInput(raw, OPTIONS)).resolves.toBeUndefined()
  })

  test.each([
    ['[]', JSON_TYPE, 'INVALID_REQUEST'],
    ['null', JSON_TYPE, 'INVALID_REQUEST'],
    ['{', JSON_TYPE, 'INVALID_REQUEST'],
    ['{}', {}, 'UNSUPPORTED_MEDIA_TYPE'],
  ])('refuses %s with %j', async (body, headers, code) => {
    await expect(readNoInput(request([body, null], headers), OPTIONS)).rejects.toMatchObject({ code })
  })

  test('refuses a body of another type before it comes', async () => {
    const raw = request([], { 'content-type': 'text/plain', 'content-length': '5' })
    delete raw.headers['transfer-encoding']
    await expect(readNoInput(raw, OPTIONS)).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' })
  })
})
