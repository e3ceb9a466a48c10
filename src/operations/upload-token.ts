import type { Caller } from '../access.ts'
import { UploadError } from '../errors.ts'
import { isGone, type Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { isTombstoneOver, load } from './records.ts'

/** Who speaks by an upload's token. */
export interface TokenBearer {
  readonly caller: Caller
  /** Whether the upload has ended: then the token tells no more than how, and a login may do more. */
  readonly hasEnded: boolean
}

/** See {@link Uploads.redeem}. */
export async function redeem(context: Context, id: string, text: string): Promise<TokenBearer | null> {
  if (!(await context.tokens.isOf(id, text))) return null
  const upload = await load(context, id)
  const owner = upload?.manifest.owner ?? null
  if (upload === null || owner === null || isTombstoneOver(context, upload) || isForgotten(context, upload)) return null
  return {
    caller: { principal: { id: owner, byUploadToken: true }, tokenOf: id },
    hasEnded: upload.status === 'uploaded' || isGone(upload),
  }
}

/**
 * Holds a token to what it is good for: its own upload, until that ends. After that it still hears how it ended, for as
 * long as a gone upload would say so: whoever lost that answer asks again (`afterEnd`), and would otherwise start over.
 * @throws UploadError `UPLOAD_NOT_FOUND`, `UNAUTHENTICATED`
 */
export function holdToToken(context: Context, upload: Upload, { tokenOf }: Caller, afterEnd: boolean): void {
  if (tokenOf === undefined) return
  if (tokenOf !== upload.manifest.id) throw new UploadError('UPLOAD_NOT_FOUND')
  if (upload.status !== 'uploaded' || (afterEnd && !isForgotten(context, upload))) return
  throw tokenIsOver()
}

/** What is no upload's, or no longer one's, wants a login. @throws UploadError `UNAUTHENTICATED` */
export function wantLogin({ tokenOf }: Caller): void {
  if (tokenOf !== undefined) throw tokenIsOver()
}

function tokenIsOver(): UploadError {
  return new UploadError('UNAUTHENTICATED', {
    message: 'The token of an upload is good for that upload alone, and until it ends. Log in.',
    details: { error: 'invalid_token' },
  })
}

function isForgotten({ options }: Context, { status, endedAt }: Upload): boolean {
  return status === 'uploaded' && (endedAt ?? 0) + options.tombstoneMs <= options.now()
}
