import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { registerHealth, type HealthContext } from '../../../../adapters/standalone/health.ts'
import { UploadError } from '../../../../src/index.ts'

async function ask(url: string, uploads: Partial<HealthContext['uploads']> = {}) {
  const app = Fastify()
  registerHealth(app, { uploads: { check: async () => {}, draining: false, ...uploads } })
  const { statusCode, headers, body } = await app.inject(url)
  return { status: statusCode, retryAfter: headers['retry-after'], cache: headers['cache-control'], body }
}

const failing = (code: 'STATE_UNAVAILABLE' | 'STORAGE_UNAVAILABLE') => ({
  check: async () => {
    throw new UploadError(code)
  },
})

describe('/readyz', () => {
  test('answers 200 while storage and state answer', async () => {
    expect(await ask('/readyz')).toEqual({
      status: 200,
      retryAfter: undefined,
      cache: 'no-store',
      body: '{"status":"ok"}',
    })
  })

  test('answers 503 while the server shuts down, whatever storage says', async () => {
    const draining = { status: 503, retryAfter: '1', body: '{"status":"draining"}' }
    expect(await ask('/readyz', { draining: true })).toMatchObject(draining)
    expect(await ask('/readyz', { draining: true, ...failing('STORAGE_UNAVAILABLE') })).toMatchObject(draining)
  })

  test.each(['storage', 'state'] as const)('answers 503 while %s does not answer', async (what) => {
    const code = what === 'state' ? 'STATE_UNAVAILABLE' : 'STORAGE_UNAVAILABLE'
    const unavailable = { status: 503, retryAfter: '1', body: `{"status":"${what} unavailable"}` }
    expect(await ask('/readyz', failing(code))).toMatchObject(unavailable)
  })
})

test('/healthz answers for the process alone', async () => {
  const context = { draining: true, ...failing('STORAGE_UNAVAILABLE') }
  expect(await ask('/healthz', context)).toMatchObject({ status: 200, body: '{"status":"ok"}', cache: 'no-store' })
})
