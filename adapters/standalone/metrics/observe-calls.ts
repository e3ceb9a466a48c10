/** Told of a call that has ended: its name, how long it took (seconds), and what it threw, or null. */
export type CallListener = (call: string, seconds: number, error: unknown) => void

/**
 * The same object, of whose calls that return promises somebody is told when they end. What is in `replaced` is called in
 * place of the object's own.
 */
export function observeCalls<T extends object>(target: T, listener: CallListener, replaced: Partial<T> = {}): T {
  const observed = new Map<PropertyKey, (...args: unknown[]) => unknown>()
  return new Proxy(target, {
    get: (_target, name) => {
      const known = observed.get(name)
      if (known !== undefined) return known
      const value: unknown = Reflect.get(name in replaced ? replaced : target, name)
      if (typeof value !== 'function') return value
      // On the object itself: private fields are not the proxy's.
      const called = String(name)
      const call = (...args: unknown[]): unknown => {
        const begun = performance.now()
        return told<unknown>(Reflect.apply(value, target, args), called, begun, listener)
      }
      observed.set(name, call)
      return call
    },
  })
}

/** Makes a call, and tells of its end where it returns a promise. */
export function observeCall<R>(name: string, call: () => R, listener: CallListener): R {
  const begun = performance.now()
  return told(call(), name, begun, listener)
}

function told<R>(result: R, name: string, begun: number, listener: CallListener): R {
  if (!(result instanceof Promise)) return result
  // Beside the caller's own: whoever gets the promise answers for its rejection.
  result.then(
    () => listener(name, (performance.now() - begun) / 1000, null),
    (error: unknown) => listener(name, (performance.now() - begun) / 1000, error ?? new Error('rejected with nothing')),
  )
  return result
}
