import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * A client that is still sending when it is refused reads its answer only after it has sent the rest, and loses it when
 * the connection is reset before. So the rest is received and dropped, within these bounds, by both faces.
 */
interface DrainBounds {
  readonly ms: number
  readonly bytes: number
}

const BOUNDS: DrainBounds = { ms: 10_000, bytes: 64 * 1024 * 1024 }

/** While the server shuts down: a client that does not learn why it was cut will find out when it resumes. */
const CLOSING_BOUNDS: DrainBounds = { ms: 1000, bytes: BOUNDS.bytes }

/** Whether a request brings a body, by its framing. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * Lets what is left of a body run off beside its answer. Call it just before the answer is sent. Where the body goes on
 * beyond the bounds after the answer was sent, the connection is destroyed.
 */
export function drainBesideAnswer(raw: IncomingMessage, response: ServerResponse, bounds = BOUNDS): void {
  if (!isUnread(raw)) return
  let timer: NodeJS.Timeout | undefined
  let left = bounds.bytes
  const cut = (): void => {
    raw.destroy()
  }
  const onData = (buffer: Buffer): void => {
    if (response.writableFinished) left -= buffer.length
    if (left < 0) cut()
  }
  const onFinish = (): void => {
    timer = setTimeout(cut, bounds.ms)
  }
  // A listener of our own, before the answer is finished: Node would otherwise drop the rest itself, without a bound.
  raw.on('data', onData)
  raw.resume()
  response.once('finish', onFinish)
  const done = (): void => {
    clearTimeout(timer)
    raw.off('data', onData).off('end', done).off('close', done)
    response.off('finish', onFinish)
  }
  raw.once('end', done).once('close', done)
}

/**
 * Lets what is left of a body run off before its answer, where the connection closes with the answer: Node resets a
 * connection that it closes with bytes unread, and the answer may be lost with it. Resolves at the body's end, or at
 * the bounds.
 */
export function drainBeforeAnswer(raw: IncomingMessage, closing: boolean): Promise<void> {
  if (!isUnread(raw)) return Promise.resolve()
  const bounds = closing ? CLOSING_BOUNDS : BOUNDS
  return new Promise((resolve) => {
    let left = bounds.bytes
    const done = (): void => {
      clearTimeout(timer)
      raw.off('data', onData).off('end', done).off('close', done)
      raw.pause()
      resolve()
    }
    const onData = (buffer: Buffer): void => {
      left -= buffer.length
      if (left < 0) done()
    }
    const timer = setTimeout(done, bounds.ms)
    raw.on('data', onData).once('end', done).once('close', done)
    raw.resume()
  })
}

function isUnread(raw: IncomingMessage): boolean {
  return hasBody(raw) && !raw.readableEnded && !raw.destroyed
}
