import type { IncomingMessage } from 'node:http'
import type { Caller } from '../access.ts'
import type { FaceReply } from '../http.ts'
import type { CreatedUpload, Uploads } from '../uploads.ts'
import type { ReadJsonOptions } from './read-json.ts'

/** What every operation works with. */
export interface OperationContext {
  readonly uploads: Uploads
  /** The address of an upload on this face. */
  readonly location: (id: string) => string
  /** The address of a new upload on the tus face. */
  readonly tusUrl: (upload: CreatedUpload) => string
  readonly reading: ReadJsonOptions
}

/** One call of an operation. */
export interface OperationCall {
  readonly raw: IncomingMessage
  readonly caller: Caller
  /** The id in the path, shaped like one; empty where the pattern has none. */
  readonly id: string
}

/** One operation of the JSON API. It answers success, or throws. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below the prefix; `:id` stands for the id of an upload. */
  readonly pattern: string
  readonly run: (context: OperationContext, call: OperationCall) => Promise<FaceReply>
}
