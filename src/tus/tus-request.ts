import type { IncomingMessage } from 'node:http'
import type { Caller } from '../access.ts'
import type { DeclaredChecksums } from '../checksum/body-checksum.ts'
import type { CreateInput } from '../create-input.ts'
import type { Upload } from '../upload.ts'

/** What a PATCH says of its body. */
export interface Patch {
  readonly offset: number
  /** Bytes the body says it has, or null. */
  readonly contentLength: number | null
  /** The length of the file, where this request declares it. */
  readonly declaredSize?: number
  readonly checksums?: DeclaredChecksums
}

/** What a POST wants created. */
export interface Creation {
  readonly input: CreateInput
  /** Bytes the body says it has; null unknown. */
  readonly contentLength: number | null
  readonly checksums?: DeclaredChecksums
}

/** What one tus request is about. */
export interface TusRequest {
  readonly method: string
  /** The upload it names, or null: it creates one. */
  id: string | null
  readonly raw: IncomingMessage
  /** See {@link FaceRequest.publicUrl}. */
  readonly publicUrl?: string | undefined
  readonly caller: Caller
  /** Of the upload that it has created, where one has to log in. */
  token: string | null
  /** Of a POST. */
  create: Creation | null
  /** Of a POST that brings the beginning of its file: the offset that was reached. */
  createdOffset: number | null
  /** Of a PATCH. */
  patch: Patch | null
  /** The upload as it was last seen: its expiry and offset stand in the answer. */
  upload: Upload | null
  /** The answer must not say an offset: it is the length, and the file does not stand yet. */
  offsetWithheld: boolean
  /** What went wrong. */
  error: unknown
}
