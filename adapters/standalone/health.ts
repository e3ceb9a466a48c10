import type { FastifyInstance } from 'fastify'
import { RETRY_AFTER_S, type Uploads } from '../../src/index.ts'

/** What is asked whether it answers. */
export interface HealthContext {
  readonly storage: { check(): Promise<void> }
  readonly uploads: Pick<Uploads, 'draining'>
}

const HEADERS = { 'Cache-Control': 'no-store' }

/** `GET /healthz`: the process answers. `GET /readyz`: storage answers, and the server is not shutting down. */
export function registerHealth(app: FastifyInstance, { storage, uploads }: HealthContext): void {
  app.get('/healthz', (_request, reply) => reply.headers(HEADERS).send({ status: 'ok' }))
  app.get('/readyz', async (request, reply) => {
    const status = uploads.draining ? 'draining' : await checked(storage, request.log)
    if (status !== 'ok') reply.code(503).header('Retry-After', RETRY_AFTER_S)
    return reply.headers(HEADERS).send({ status })
  })
}

async function checked(storage: HealthContext['storage'], log: FastifyInstance['log']): Promise<string> {
  try {
    await storage.check()
    return 'ok'
  } catch (error) {
    log.error({ err: error }, 'storage does not answer')
    return 'storage unavailable'
  }
}
