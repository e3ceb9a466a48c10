import type { Xhr } from './browser-scope.ts'
import { ResumableUploadError } from './errors.ts'
import type { Credentials, Transport } from './transport.ts'

/** Sends by `XMLHttpRequest`: the one way in which a browser tells how much of a body has left. */
export function xhrTransport(Request: new () => Xhr, credentials: Exclude<Credentials, 'omit'>): Transport {
  return ({ method, url, headers, body, signal, onSent }) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error)
      const xhr = new Request()
      const onAbort = (): void => xhr.abort()
      const end = (settle: () => void) => () => {
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      xhr.open(method, url)
      xhr.withCredentials = credentials === 'include'
      for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value)
      // Only where somebody listens: a listener makes a preflight of a request that would need none.
      if (onSent !== undefined) xhr.upload.addEventListener('progress', ({ loaded }) => onSent(loaded))
      const answer = () => ({
        status: xhr.status,
        text: xhr.responseText,
        header: (name: string) => xhr.getResponseHeader(name),
      })
      const failure = () => new ResumableUploadError('NETWORK', `No answer came from ${new URL(url).host}.`)
      xhr.addEventListener(
        'load',
        end(() => resolve(answer())),
      )
      xhr.addEventListener(
        'error',
        end(() => reject(failure())),
      )
      xhr.addEventListener(
        'abort',
        end(() => reject(signal.reason as Error)),
      )
      signal.addEventListener('abort', onAbort)
      xhr.send(body ?? null)
    })
}
