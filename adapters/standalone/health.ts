import type { FastifyInstance } from 'fastify'
import { isUploadError, RETRY_AFTER_S, type Uploads } from '../../src/index.ts'

/** What is asked whether it answers. */
export interface HealthContext {
  readonly uploads: Pick<Uploads, 'check' | 'draining'>
}

const HEADERS = { 'Cache-Control': 'no-store' }

/** `GET /healthz`: the process answers. `GET /readyz`: storage and state answer, and the server is not shutting down. */
export function registerHealth(app: FastifyInstance, { uploads }: HealthContext): void {
  app.get('/healthz', (_request, reply) => reply.headers(HEADERS).send({ status: 'ok' }))
  app.get('/readyz', async (request, reply) => {
    const status = uploads.draining ? 'draining' : await checked(uploads, request.log)
    if (status !== 'ok') reply.code(503).header('Retry-After', RETRY_AFTER_S)
    return reply.headers(HEADERS).send({ status })
  })
}

async function checked(uploads: HealthContext['uploads'], log: FastifyInstance['log']): Promise<string> {
  try {
    await uploads.check()
    return 'ok'
  } catch (error) {
    const what = isUploadError(error) && error.code === 'STATE_UNAVAILABLE' ? 'state' : 'storage'
    log.error({ err: error }, `${what} does not answer`)
    return `${what} unavailable`
  }
}
