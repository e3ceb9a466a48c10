import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { registerHealth, type HealthContext } from '../../../../adapters/standalone/health.ts'
import { UploadError } from '../../../../src/index.ts'

async function ask(url: string, context: Partial<HealthContext> = {}) {
  const app = Fastify()
  registerHealth(app, { storage: { check: async () => {} }, uploads: { draining: false }, ...context })
  const { statusCode, headers, body } = await app.inject(url)
  return { status: statusCode, retryAfter: headers['retry-after'], cache: headers['cache-control'], body }
}

const failing = {
  check: async () => {
    throw new UploadError('STORAGE_UNAVAILABLE')
  },
}

describe('/readyz', () => {
  test('answers 200 while storage answers', async () => {
    expect(await ask('/readyz')).toEqual({
      status: 200,
      retryAfter: undefined,
      cache: 'no-store',
      body: '{"status":"ok"}',
    })
  })

  test('answers 503 while the server shuts down, whatever storage says', async () => {
    const draining = { status: 503, retryAfter: '1', body: '{"status":"draining"}' }
    expect(await ask('/readyz', { uploads: { draining: true } })).toMatchObject(draining)
    expect(await ask('/readyz', { uploads: { draining: true }, storage: failing })).toMatchObject(draining)
  })

  test('answers 503 while storage does not answer', async () => {
    const unavailable = { status: 503, retryAfter: '1', body: '{"status":"storage unavailable"}' }
    expect(await ask('/readyz', { storage: failing })).toMatchObject(unavailable)
  })
})

test('/healthz answers for the process alone', async () => {
  const context = { uploads: { draining: true }, storage: failing }
  expect(await ask('/healthz', context)).toMatchObject({ status: 200, body: '{"status":"ok"}', cache: 'no-store' })
})
