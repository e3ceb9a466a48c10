import type { FastifyInstance, FastifyRequest } from 'fastify'
import { failureCodeOf } from '../../failure-codes.ts'
import { pathOfTarget } from '../../paths.ts'
import type { Metrics } from './metrics.ts'
import { type Mounts, type Operation, operationOf } from './operation-of.ts'

/** Measures every request to its end: answered, or left by its client. */
export function observeRequests(app: FastifyInstance, mounts: Mounts, metrics: Metrics): void {
  const end = (request: FastifyRequest, seconds: number, outcome: string): void => {
    const { face, operation } = operationOfRequest(request, mounts)
    metrics.requests.record(seconds, face, operation, outcome)
    const code = failureCodeOf(request.raw)
    if (code !== undefined) metrics.errors.inc({ face, code })
  }
  app.addHook('onResponse', (request, reply, done) => {
    end(request, reply.elapsedTime / 1000, `${Math.floor(reply.statusCode / 100)}xx`)
    done()
  })
  const begun = new WeakMap<FastifyRequest, number>()
  app.addHook('onRequest', (request, _reply, done) => {
    begun.set(request, performance.now())
    done()
  })
  app.addHook('onRequestAbort', (request, done) => {
    end(request, (performance.now() - (begun.get(request) ?? performance.now())) / 1000, 'gone')
    done()
  })
}

/** tus lets a POST be another method (`X-HTTP-Method-Override`). */
function operationOfRequest({ raw }: FastifyRequest, mounts: Mounts): Operation {
  const method = raw.method ?? 'GET'
  const path = pathOfTarget(raw.url ?? '/')
  const override = raw.headers['x-http-method-override']
  const named = operationOf(method, path, mounts)
  return named.face === 'tus' && typeof override === 'string'
    ? operationOf(override.toUpperCase(), path, mounts)
    : named
}
