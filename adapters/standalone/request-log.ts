import { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { pathOfTarget } from '../paths.ts'

/** One line for each request, at its end: method, path without the query (it may hold a token), status, duration. */
export class RequestLog extends LogController {
  override incomingRequest(): void {
    // The line at the end says it all.
  }

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    // Probes come every few seconds, and say nothing new.
    const level = isProbe(request) && reply.statusCode < 400 ? 'debug' : 'info'
    const answer = { ...factsOf(request), status: reply.statusCode, durationMs: Math.round(reply.elapsedTime) }
    request.log[level](error == null ? answer : { ...answer, err: error }, 'request')
  }

  override streamError(error: Error & { code?: string }, request: FastifyRequest, reply: FastifyReply): void {
    // A client that left in the middle of a download has its own line.
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') super.streamError(error, request, reply)
  }
}

/** Logs requests whose client went away before the answer, which are never completed. */
export function logAbortedRequests(app: FastifyInstance): void {
  app.addHook('onRequestAbort', (request, done) => {
    request.log.info(factsOf(request), 'the client has gone')
    done()
  })
}

function factsOf({ method, raw }: FastifyRequest): { readonly method: string; readonly url: string } {
  return { method, url: pathOfTarget(raw.url ?? '/') }
}

function isProbe({ raw }: FastifyRequest): boolean {
  return raw.url === '/healthz' || raw.url === '/readyz'
}
