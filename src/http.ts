import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { Caller } from './access.ts'

/** What an adapter hands a face: the request as Node has it, body unread, and who sent it. */
export interface FaceRequest {
  /** The Node request. The face reads its body; nobody else may. */
  readonly raw: IncomingMessage
  /** The path below the face's own prefix, with the leading slash and without the query: `/`, `/0b1c…/chunks`. Not decoded. */
  readonly path: string
  /** Who sent it. */
  readonly caller: Caller
  /** Stands in error answers and logs. */
  readonly requestId: string
  /** Scheme and host the client uses, where something trusted tells it: for addresses in answers. @default relative ones */
  readonly publicUrl?: string | undefined
}

/** What a face answers. The adapter sends it as it is. */
export interface FaceReply {
  readonly status: number
  /** The reason phrase, where HTTP knows none for the status. */
  readonly reason?: string
  /** Header names as they are usually written. */
  readonly headers: Readonly<Record<string, string>>
  /** Nothing, a text, or a stream that the adapter sends and destroys. */
  readonly body: string | Readable | null
  /** What went wrong, for the log. */
  readonly error?: unknown
}

/** An address that brings the token of its upload along, where there is one. */
export function withToken(address: string, token: string | null): string {
  return token === null ? address : `${address}?token=${token}`
}
