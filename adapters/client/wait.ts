import { scope } from './browser-scope.ts'

/** Resolves after `ms`, or as soon as the browser has a network again. @throws the signal's reason when it aborts */
export function waitFor(ms: number, signal: AbortSignal): Promise<void> {
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
    scope.addEventListener?.('online', onTime)
  })
}
