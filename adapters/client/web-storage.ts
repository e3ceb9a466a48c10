import { scope, type WebStorage } from './browser-scope.ts'
import type { UploadStorage } from './storage.ts'

/** Remembers in `localStorage` or `sessionStorage`. */
export function webStorage(storage: WebStorage): UploadStorage {
  return {
    get: (key) => storage.getItem(key),
    set: (key, value) => storage.setItem(key, value),
    delete: (key) => storage.removeItem(key),
    keys: () => Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? ''),
  }
}

/** The browser's localStorage; null where there is none, or where the person does not allow it. */
export function browserStorage(): UploadStorage | null {
  // Node may have one too, which warns, and is not what an application of Node's expects.
  if (scope.document === undefined) return null
  try {
    return scope.localStorage === undefined ? null : webStorage(scope.localStorage)
  } catch {
    return null
  }
}
