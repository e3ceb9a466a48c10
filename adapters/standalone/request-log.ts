import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { LogController, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { failureCodeOf } from '../failure-codes.ts'
import { pathOfTarget } from '../paths.ts'
import { requestFactsOf } from '../request-facts.ts'

type FrameworkErrors = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void

/**
 * One line for each request, at its end: who, method, path without the query (it may hold a token), status, duration,
 * bytes received, the upload or file it was about, and the code of an error.
 */
export class RequestLog extends LogController {
  override incomingRequest(): void {
    // The line at the end says it all.
  }

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    // Probes come every few seconds, and say nothing new.
    const level = isProbe(request) && reply.statusCode < 400 ? 'debug' : 'info'
    const answer = { status: reply.statusCode, durationMs: Math.round(reply.elapsedTime) }
    request.log[level]({ ...factsOf(request), ...answer, ...(error == null ? {} : { err: error }) }, 'request')
  }

  /** Logs what Fastify refuses before it looks for a route, of which it says nothing itself. */
  withRefusals(answer: FrameworkErrors): FrameworkErrors {
    return (error, request, reply) => {
      reply.raw.once('finish', () => this.requestCompleted(null, request, reply))
      answer(error, request, reply)
    }
  }

  override streamError(error: Error & { code?: string }, request: FastifyRequest, reply: FastifyReply): void {
    // A client that left in the middle of a download has its own line.
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') super.streamError(error, request, reply)
  }
}

/** Logs requests whose client went away before the answer, which are never completed, and counts what requests bring. */
export function completeRequestLog(app: FastifyInstance): void {
  app.server.on('request', countFrom)
  app.addHook('onRequestAbort', (request, done) => {
    request.log.info(factsOf(request), 'the client has gone')
    done()
  })
}

/** Bytes that a connection had received when its last request was over. */
const receivedBefore = new WeakMap<Socket, number>()
const receivedAtStart = new WeakMap<IncomingMessage, number>()

/** A connection serves many requests, and counts its bytes through all of them. */
function countFrom(raw: IncomingMessage): void {
  const { socket } = raw
  receivedAtStart.set(raw, receivedBefore.get(socket) ?? 0)
  // What a refused request goes on sending is its own, not the next one's.
  raw.once('close', () => receivedBefore.set(socket, socket.bytesRead))
}

function factsOf({ method, raw, ip }: FastifyRequest): object {
  const code = failureCodeOf(raw)
  return {
    ip,
    method,
    url: pathOfTarget(raw.url ?? '/'),
    // Headers included: what came over the connection since the request before it.
    bytesReceived: raw.socket.bytesRead - (receivedAtStart.get(raw) ?? 0),
    ...requestFactsOf(raw),
    ...(code === undefined ? {} : { code }),
  }
}

function isProbe({ raw }: FastifyRequest): boolean {
  return raw.url === '/healthz' || raw.url === '/readyz'
}
