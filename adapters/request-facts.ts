import type { IncomingMessage } from 'node:http'
import type { Caller } from '../src/index.ts'
import type { FaceReply } from '../src/json/index.ts'
import type { FaceName } from './failures.ts'

/** Who sent a request, and what it is about. */
export interface RequestFacts {
  /** Id of the principal, where somebody was asked who he is. */
  readonly principal?: string
  /** Id of the upload. */
  readonly upload?: string
  /** Id of the finished file. */
  readonly file?: string
}

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const known = new WeakMap<IncomingMessage, RequestFacts>()

/** Remembers what a request is about, for whoever logs it later. `path` is below the mount of its face. */
export function rememberFacts(raw: IncomingMessage, face: FaceName, path: string, { principal }: Caller): void {
  const id = path.split('/', 2)[1] ?? ''
  // Only what has the form of an id: a log is no place for whatever a stranger writes.
  const about = ID.test(id) ? { [face === 'files' ? 'file' : 'upload']: id } : {}
  known.set(raw, { ...(principal === null ? {} : { principal: principal.id }), ...about })
}

/** Remembers the upload that a request has created, by the address it is answered with. */
export function rememberCreated(raw: IncomingMessage, { headers }: Pick<FaceReply, 'headers'>): void {
  const name = Object.keys(headers).find((one) => one.length === 'location'.length && one.toLowerCase() === 'location')
  if (name === undefined) return
  const path = (headers[name] ?? '').replace(/[?#].*$/s, '')
  const id = path.slice(path.lastIndexOf('/') + 1)
  if (ID.test(id)) known.set(raw, { ...known.get(raw), upload: id })
}

/** What is known of a request. */
export function requestFactsOf(raw: IncomingMessage): RequestFacts {
  return known.get(raw) ?? {}
}
