import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Uploads } from '../../src/index.ts'
import type { FaceReply } from '../../src/json/index.ts'
import { drainBeforeAnswer, drainBesideAnswer } from '../drain-body.ts'
import { guardDownload } from '../guard-download.ts'

/** Errors that say that the client has gone in the middle of a download, or before it: no failure. */
const GONE: ReadonlySet<unknown> = new Set([
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_UNABLE_TO_PIPE',
  'ERR_STREAM_DESTROYED',
])

/** Sends a face's answer. Resolves when it is sent or the client has gone. */
export async function sendReply(
  raw: IncomingMessage,
  response: ServerResponse,
  { status, reason, headers, body }: FaceReply,
  uploads: Uploads,
): Promise<void> {
  if (body !== null && typeof body !== 'string') guardDownload(body, response, uploads.idleTimeoutMs)
  // A connection that stays open would keep the application's `server.close()` waiting for it to idle out.
  if (uploads.draining) response.setHeader('Connection', 'close')
  if (uploads.draining || !response.shouldKeepAlive) await drainBeforeAnswer(raw, uploads.draining)
  else drainBesideAnswer(raw, response)

  response.statusCode = status
  if (reason !== undefined) response.statusMessage = reason
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (body === null || typeof body === 'string') {
    const bytes = body === null ? 0 : Buffer.byteLength(body)
    // Of a HEAD it would be the length of what a GET has, which the face knows; 204 and 304 have none.
    if (raw.method !== 'HEAD' && status !== 204 && status !== 304) response.setHeader('Content-Length', bytes)
    response.end(raw.method === 'HEAD' ? undefined : body)
    return
  }
  if (raw.method === 'HEAD') {
    body.destroy()
    response.end()
    return
  }
  try {
    await pipeline(body, response)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && GONE.has(error.code))) throw error
  }
}
