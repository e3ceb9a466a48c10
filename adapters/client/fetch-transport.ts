import { ResumableUploadError } from './errors.ts'
import type { Credentials, Transport } from './transport.ts'

/** Sends by `fetch`, which does not tell how much of a body has left. */
export function fetchTransport(send: typeof fetch, credentials: Credentials): Transport {
  return async ({ method, url, headers, body, signal }) => {
    try {
      const init = { method, headers, credentials, signal, cache: 'no-store' as const }
      const response = await send(url, body === undefined ? init : { ...init, body })
      const text = await response.text()
      return { status: response.status, text, header: (name) => response.headers.get(name) }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw new ResumableUploadError('NETWORK', `No answer came from ${new URL(url).host}.`, { cause: error })
    }
  }
}
