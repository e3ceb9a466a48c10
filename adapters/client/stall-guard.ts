import { ResumableUploadError } from './errors.ts'
import type { Transport } from './transport.ts'

/** What a body must make each second at the least where nobody sees it leave, bytes. */
const LEAST_SPEED = 8 * 1024

/**
 * Ends requests on which nothing moves for `stallTimeoutMs`: a network that swallows everything says nothing. Where the
 * transport does not tell what has left, a body is given the time it would take at 8 KiB a second as well.
 */
export function withStallGuard(transport: Transport, stallTimeoutMs: number, seesBodies: boolean): Transport {
  return async (request) => {
    const { signal, body, onSent } = request
    const guard = new AbortController()
    const bytes = body instanceof ArrayBuffer ? body.byteLength : 0
    const patience = stallTimeoutMs + (seesBodies ? 0 : (bytes / LEAST_SPEED) * 1000)
    const stall = (): void =>
      guard.abort(new ResumableUploadError('STALLED', `Nothing has moved for ${Math.round(patience / 1000)} s.`))
    let timer = setTimeout(stall, patience)
    const onAbort = (): void => guard.abort(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
    try {
      return await transport({
        ...request,
        signal: guard.signal,
        onSent: (sent) => {
          clearTimeout(timer)
          timer = setTimeout(stall, patience)
          onSent?.(sent)
        },
      })
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }
}
