import type { IncomingMessage } from 'node:http'

/** Who asks. What an application's `authenticate` makes of a request. */
export interface Principal {
  /** Stable id of the user: the owner of what it creates. */
  readonly id: string
  /** What else it may do: {@link ADMIN_SCOPE}, and whatever an `authorize` of the application's own reads. @default none */
  readonly scopes?: readonly string[]
}

/** The scope of a principal that may do everything to everybody's uploads, by default. */
export const ADMIN_SCOPE = 'admin'

/** What may be asked for. Each method of each face is one of these. */
export type Action = 'create' | 'read' | 'write' | 'complete' | 'cancel' | 'download'

/** What {@link Authorize} is told of the upload. */
export interface Subject {
  readonly id: string
  readonly owner: string | null
}

/** Decides whether a principal may do something. `subject` is null for `create`. */
export type Authorize = (
  principal: Principal | null,
  action: Action,
  subject: Subject | null,
) => boolean | Promise<boolean>

/** Says who sends a request, or null where its credentials are missing or not valid: it is answered 401. */
export type Authenticate<Request = IncomingMessage> = (
  request: Request,
) => Principal | null | undefined | Promise<Principal | null | undefined>

/** Who calls the core, and for which request. */
export interface Caller {
  readonly principal: Principal | null
}

/**
 * The default: an upload is its owner's, and everybody's with the scope `admin` ({@link ADMIN_SCOPE}). Where nobody is asked
 * who he is, uploads have no owner, and whoever knows an id may use it.
 */
export const ownerMay: Authorize = (principal, _action, subject) =>
  subject === null ||
  subject.owner === null ||
  subject.owner === principal?.id ||
  principal?.scopes?.includes(ADMIN_SCOPE) === true
