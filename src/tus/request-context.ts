import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage } from 'node:http'
import type { Caller } from '../access.ts'
import type { CreateInput } from '../create-input.ts'
import type { Upload } from '../upload.ts'

/** What a PATCH says of its body. */
export interface Patch {
  readonly offset: number
  /** Bytes the body says it has, or null. */
  readonly contentLength: number | null
  /** The length of the file, where this request declares it. */
  readonly declaredSize?: number
}

/** What a POST wants created. */
export interface Creation {
  readonly input: CreateInput
  /** Bytes the body says it has; null unknown. */
  readonly contentLength: number | null
}

/**
 * What one tus request is about. It travels beside @tus/server, whose stores are told of an id and an offset and of
 * nothing else of the request.
 */
export interface TusRequest {
  readonly method: string
  readonly raw: IncomingMessage
  readonly caller: Caller
  /** Of a POST. */
  create: Creation | null
  /** Of a PATCH. */
  patch: Patch | null
  /** The upload as it was last seen: its expiry and offset stand in the answer. */
  upload: Upload | null
  /** What went wrong. */
  error: unknown
}

const storage = new AsyncLocalStorage<TusRequest>()

/** Runs work with the request at hand. */
export function withTusRequest<T>(request: TusRequest, work: () => Promise<T>): Promise<T> {
  return storage.run(request, work)
}

/** The request at hand. */
export function tusRequest(): TusRequest {
  const request = storage.getStore()
  if (request === undefined) throw new Error('a tus store was called outside a request')
  return request
}
