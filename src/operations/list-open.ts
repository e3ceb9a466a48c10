import type { Caller } from '../access.ts'
import { UploadError } from '../errors.ts'
import type { Progress } from '../progress.ts'
import type { AccountPlace, Holding } from '../state/accounts.ts'
import type { Upload } from '../upload.ts'
import { mayDo } from './authorised.ts'
import type { Context } from './context.ts'
import { withSpeed } from './progress.ts'
import { dropIfSettled } from './quota.ts'
import { wantLogin } from './upload-token.ts'

/** Which of the caller's unfinished uploads are asked for. */
export interface ListInput {
  /** How many, 1 to 100. @default 20 */
  readonly limit?: number
  /** Where an earlier answer has ended. @default from the newest on */
  readonly cursor?: string
}

/** Some of the caller's unfinished uploads. */
export interface OpenPage {
  /** The newest first. */
  readonly items: readonly Progress[]
  /** From where to go on; null where there are no more. */
  readonly nextCursor: string | null
}

/** How many uploads a page has where nobody says. */
export const DEFAULT_LIST = 20
/** The most uploads of one page. */
export const MAX_LIST = 100
/** How many holdings one call looks at: of a page whose uploads have all ended, the rest is asked for. */
const MOST_LOOKED_AT = 500

/** See {@link Uploads.list}. */
export async function listOpen(context: Context, input: ListInput, caller: Caller): Promise<OpenPage> {
  wantLogin(caller)
  const { principal } = caller
  if (principal === null) {
    throw new UploadError('UNAUTHENTICATED', { message: 'Only who says who he is has uploads to list.' })
  }
  const { limit = DEFAULT_LIST, cursor } = input
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIST) {
    throw invalid('limit', `limit must be a whole number from 1 to ${MAX_LIST}.`)
  }
  let after = cursor === undefined ? null : parseCursor(cursor)
  if (!(await context.sweeper.accountsWhole(context.options.lockWaitMs))) {
    throw new UploadError('STATE_UNAVAILABLE', { message: 'Your uploads are still being looked up. Try again.' })
  }
  const items: Progress[] = []
  for (let seen = 0; items.length < limit && seen < MOST_LOOKED_AT; ) {
    // Holdings that are passed over are made up for by the next round.
    const wanted = limit - items.length
    const page = await context.state.accounts.page(principal.id, after, wanted)
    const uploads = await Promise.all(page.map((holding) => listed(context, principal.id, holding, caller)))
    for (const upload of uploads) if (upload !== null) items.push(withSpeed(context, upload))
    seen += page.length
    after = page.at(-1) ?? after
    if (page.length < wanted) return { items, nextCursor: null }
  }
  const more = await context.state.accounts.page(principal.id, after, 1)
  return { items, nextCursor: more.length === 0 || after === null ? null : formatCursor(after) }
}

/** The upload of a holding, if it is unfinished and the caller may read it. */
async function listed(context: Context, owner: string, holding: Holding, caller: Caller): Promise<Upload | null> {
  const upload = await dropIfSettled(context, owner, holding)
  if (upload === null || upload.manifest.owner !== owner) return null
  return (await mayDo(context, upload, 'read', caller)) ? upload : null
}

/** A cursor is a place, and not a count: what begins or ends meanwhile moves nothing. */
function formatCursor({ at, id }: AccountPlace): string {
  return Buffer.from(`${at} ${id}`).toString('base64url')
}

function parseCursor(cursor: string): AccountPlace {
  const [, at, id] = /^(\d{1,16}) ([0-9a-f-]{36})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (at === undefined || id === undefined) throw invalid('cursor', 'cursor must be the nextCursor of another answer.')
  return { at: Number(at), id }
}

function invalid(field: string, message: string): UploadError {
  return new UploadError('INVALID_REQUEST', { message, details: { field } })
}
