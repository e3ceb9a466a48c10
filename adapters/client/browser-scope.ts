/** The part of `XMLHttpRequest` that is used. */
export interface Xhr {
  readonly upload: { addEventListener(type: 'progress', listener: (event: { readonly loaded: number }) => void): void }
  readonly status: number
  readonly responseText: string
  withCredentials: boolean
  addEventListener(type: 'load' | 'error' | 'abort', listener: () => void): void
  open(method: string, url: string): void
  setRequestHeader(name: string, value: string): void
  getResponseHeader(name: string): string | null
  send(body: string | ArrayBuffer | null): void
  abort(): void
}

/** The part of Web Storage that is used. */
export interface WebStorage {
  readonly length: number
  key(index: number): string | null
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** What browsers have and Node has not, as far as it is used. */
interface BrowserScope {
  readonly fetch: typeof fetch
  readonly document?: { readonly baseURI: string }
  readonly XMLHttpRequest?: new () => Xhr
  /** Throws where the person does not allow it. */
  readonly localStorage?: WebStorage
  readonly addEventListener?: (type: 'online', listener: () => void) => void
  readonly removeEventListener?: (type: 'online', listener: () => void) => void
}

/** The global scope, as a browser has it or not. */
export const scope: BrowserScope = globalThis
