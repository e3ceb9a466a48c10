import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/**
 * The id of a request: what a middleware has given it (`req.id`, as pino-http does), what the client or a proxy calls it
 * (`X-Request-ID`), or a new one. Only short plain ids are taken over, as they stand in logs and answers.
 */
export function requestIdOf(raw: IncomingMessage): string {
  const given = 'id' in raw ? raw.id : undefined
  for (const id of [given, raw.headers['x-request-id']]) {
    if (typeof id === 'string' && /^[\w.:@/+=-]{1,128}$/.test(id)) return id
  }
  return randomUUID()
}
