import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Uploads } from '../../src/index.ts'
import type { FaceReply } from '../../src/json/index.ts'
import { drainBeforeAnswer, drainBesideAnswer } from '../drain-body.ts'
import { rememberFailure } from '../failure-codes.ts'
import { troubleOf } from '../failures.ts'
import { guardDownload } from '../guard-download.ts'

/** Sends a face's answer through Fastify, so that an application's `onSend` hooks see it, and logs what went wrong. */
export async function sendReply(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: FaceReply,
  uploads: Uploads,
): Promise<FastifyReply> {
  rememberFailure(request.raw, answer)
  const trouble = troubleOf(answer)
  if (trouble !== undefined) request.log.error({ err: trouble }, 'holdfast: the request failed')

  const { raw } = request
  const { body } = answer
  if (body !== null && typeof body !== 'string') guardDownload(body, reply.raw, uploads.idleTimeoutMs)
  // A connection that stays open would keep `app.close()` waiting for it to idle out.
  if (uploads.draining) reply.header('Connection', 'close')
  if (uploads.draining || !reply.raw.shouldKeepAlive) await drainBeforeAnswer(raw, uploads.draining)
  else drainBesideAnswer(raw, reply.raw)

  if (raw.method === 'HEAD' && body !== null && typeof body !== 'string') body.destroy()
  // Not null, which Fastify would send as JSON.
  const payload = raw.method === 'HEAD' || body === null ? undefined : body
  if (answer.reason !== undefined) reply.raw.statusMessage = answer.reason
  // A limiter knows when its window closes; without one the answer says that it is soon.
  const waits = answer.status === 423 || answer.status === 429 ? reply.getHeader('retry-after') : undefined
  const retryAfter = waits === undefined ? {} : { 'Retry-After': waits }
  return reply
    .code(answer.status)
    .headers({ ...answer.headers, ...retryAfter })
    .send(payload)
}
