import type { IncomingMessage } from 'node:http'
import type { FileRecord } from './files.ts'
import type { Json, Upload, UploadStatus } from './upload.ts'

/** Who asks. What an application's `authenticate` makes of a request. */
export interface Principal {
  /** Stable id of the user: the owner of what it creates. */
  readonly id: string
  /** What else it may do: {@link ADMIN_SCOPE}, and whatever an `authorize` of the application's own reads. @default none */
  readonly scopes?: readonly string[]
  /** There where an upload's token speaks for its owner, who is not logged in: it has none of the owner's scopes. */
  readonly byUploadToken?: true
}

/** The scope of a principal that may do everything to everybody's uploads, by default. */
export const ADMIN_SCOPE = 'admin'

/** What may be asked for. Each method of each face is one of these. */
export type Action = 'create' | 'read' | 'write' | 'complete' | 'cancel' | 'download'

/** What {@link Authorize} is told of the upload. */
export interface Subject {
  readonly id: string
  /** Id of the finished file. */
  readonly fileId: string
  /** Id of the principal that created it; null where nobody was asked who he is. */
  readonly owner: string | null
  readonly fileName: string
  /** Bytes of the file, or null while its length is deferred. */
  readonly size: number | null
  readonly contentType: string
  /** The client's own JSON object. */
  readonly metadata: { readonly [key: string]: Json }
  readonly status: UploadStatus
}

/**
 * Decides whether a principal may do something. For `create`, `upload` is what is about to be made, and the principal its
 * owner; where an `Idempotency-Key` finds an upload that is there already, that one has another id.
 */
export type Authorize = (principal: Principal | null, action: Action, upload: Subject) => boolean | Promise<boolean>

/** Says who sends a request, or null where its credentials are missing or not valid: it is answered 401. */
export type Authenticate<Request = IncomingMessage> = (
  request: Request,
) => Principal | null | undefined | Promise<Principal | null | undefined>

/** Who calls the core, and for which request. */
export interface Caller {
  readonly principal: Principal | null
  /** The upload whose token speaks: it is good for that one alone, and until it ends. @default a login speaks, or nobody was asked */
  readonly tokenOf?: string
}

/**
 * The default: an upload is its owner's, and everybody's with the scope `admin` ({@link ADMIN_SCOPE}). Where nobody is asked
 * who he is, uploads have no owner, and whoever knows an id may use it.
 */
export const ownerMay: Authorize = (principal, _action, { owner }) =>
  owner === null || owner === principal?.id || principal?.scopes?.includes(ADMIN_SCOPE) === true

/** An upload as {@link Authorize} is told of it. */
export function subjectOf({ manifest, size, status }: Pick<Upload, 'manifest' | 'size' | 'status'>): Subject {
  // Field by field: it is made several times for each request, and spreading costs ten times as much.
  const { id, fileId, owner, fileName, contentType, metadata } = manifest
  return { id, fileId, owner, fileName, size, contentType, metadata, status }
}

/** The same of the upload that made a file. */
export function subjectOfFile(file: FileRecord): Subject {
  const { id: fileId, uploadId: id, owner, name: fileName, size, contentType, metadata } = file
  return { id, fileId, owner, fileName, size, contentType, metadata, status: 'uploaded' }
}
