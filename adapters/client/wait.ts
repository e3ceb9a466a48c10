import { scope } from './browser-scope.ts'

/**
 * Resolves after `ms`; with `orOnline` as soon as the browser has a network again.
 * @throws the signal's reason when it aborts
 */
export function waitFor(ms: number, signal: AbortSignal, orOnline = false): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      scope.removeEventListener?.('online', onTime)
      settle()
    }
    const onTime = end(resolve)
    const onAbort = end(() => reject(signal.reason as Error))
    const timer = setTimeout(onTime, ms)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort)
    if (orOnline) scope.addEventListener?.('online', onTime)
  })
}
