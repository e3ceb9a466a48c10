import type { IncomingMessage } from 'node:http'
import { UploadError } from '../errors.ts'
import { parseContentLength } from './headers/content-length.ts'

/** The most bytes of a JSON body. */
export const MAX_JSON_BYTES = 64 * 1024

const UTF_8 = new TextDecoder('utf-8', { fatal: true })

/** How often a body that is being read is looked after, ms. */
const WATCH_MS = 250

/** How long a body may take, and who may cut it. */
export interface ReadJsonOptions {
  /** A body this small has to be there whole within this time, ms. A trickle is a stall too. */
  readonly timeoutMs: number
  /** Whether the server is shutting down: it does not wait for bodies that have no bytes to keep. */
  readonly draining: () => boolean
}

/**
 * Reads a JSON body from the Node request; undefined where the body is empty. A body that is refused is left where it is,
 * paused: whoever sends the answer lets the rest run off.
 *
 * @throws UploadError `INVALID_REQUEST`, `BODY_TOO_LARGE`, `TIMEOUT`, `DRAINING`
 */
export async function readJson(raw: IncomingMessage, options: ReadJsonOptions): Promise<unknown> {
  const body = await readAll(raw, options)
  if (body.length === 0) return undefined
  try {
    return JSON.parse(UTF_8.decode(body))
  } catch (error) {
    throw new UploadError('INVALID_REQUEST', {
      message: 'The body is not JSON in UTF-8.',
      details: { field: 'body' },
      cause: error,
    })
  }
}

function readAll(raw: IncomingMessage, { timeoutMs, draining }: ReadJsonOptions): Promise<Buffer> {
  if ((parseContentLength(raw.headers) ?? 0) > MAX_JSON_BYTES) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    const buffers: Buffer[] = []
    const begun = performance.now()
    let size = 0

    const settle = (error: UploadError | null): void => {
      clearInterval(watch)
      raw.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut)
      if (error === null) return resolve(Buffer.concat(buffers))
      raw.pause()
      reject(error)
    }
    const onData = (buffer: Buffer): void => {
      buffers.push(buffer)
      size += buffer.length
      if (size > MAX_JSON_BYTES) settle(tooLarge())
    }
    const onEnd = (): void => settle(null)
    const onCut = (): void => settle(new UploadError('INVALID_REQUEST', { message: 'The body ended early.' }))
    const watch = setInterval(() => {
      if (draining()) settle(new UploadError('DRAINING'))
      else if (performance.now() - begun > timeoutMs) settle(new UploadError('TIMEOUT'))
    }, WATCH_MS)

    raw.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut)
    if (raw.readableEnded) onEnd()
    else if (raw.destroyed) onCut()
  })
}

function tooLarge(): UploadError {
  return new UploadError('BODY_TOO_LARGE', {
    message: `A JSON body may have at most ${MAX_JSON_BYTES} bytes.`,
    details: { max: MAX_JSON_BYTES },
  })
}
