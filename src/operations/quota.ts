import { UploadError } from '../errors.ts'
import type { Excess, Holding } from '../state/accounts.ts'
import { gridOf, type Manifest, type Upload } from '../upload.ts'
import { isUnfinished, lastsUntil } from './account.ts'
import type { Context } from './context.ts'
import { expireIfDue } from './expire.ts'
import { load } from './records.ts'

/**
 * How long a reservation stands of which nothing else is known, ms. By then its upload was made and entered, or the process
 * was killed in between.
 */
const UNCONFIRMED_MS = 3_600_000
/** How old such a reservation is before somebody who looks drops it, ms: longer than it takes to make an upload. */
const SETTLED_MS = 90_000
/** How many of an owner's uploads are looked at before he is refused another. */
const MOST_LOOKED_AT = 1_000
const PAGE = 100

/**
 * Reserves room for an upload that is about to be made: its whole size, or, where that is not known, its place alone. The
 * same upload again reserves once. Killed after this and before there is an upload, a reservation too many is left, which
 * {@link dropSettled} or the time drops.
 * @throws UploadError `QUOTA_EXCEEDED`
 */
export async function reserveNew(context: Context, manifest: Manifest): Promise<void> {
  const { id, owner, createdAt, size } = manifest
  const until = context.options.now() + UNCONFIRMED_MS
  await reserve(context, owner, { id, bytes: size ?? 0, at: createdAt, until })
}

/**
 * Reserves the first `bytes` of an upload whose length is not known yet, before they are taken in.
 * @throws UploadError `QUOTA_EXCEEDED`
 */
export async function reserveAhead(context: Context, upload: Upload, bytes: number): Promise<void> {
  if (context.options.maxBytesPerUser === null || upload.size !== null) return
  const most = Math.max(bytes, upload.ledger.extent(gridOf(upload)))
  await reserveFor(context, upload, most, true)
}

/**
 * Reserves the whole of a length before it is recorded. Killed in between, more is reserved than is needed, or, where the
 * client has more than it said, as much as was reserved before.
 * @throws UploadError `QUOTA_EXCEEDED`
 */
export async function reserveLength(context: Context, upload: Upload, size: number): Promise<void> {
  if (context.options.maxBytesPerUser === null) return
  await reserveFor(context, upload, size, false)
}

function reserveFor(context: Context, { manifest }: Upload, bytes: number, atLeast: boolean): Promise<void> {
  const { id, owner, createdAt } = manifest
  return reserve(context, owner, { id, bytes, at: createdAt, until: lastsUntil(context, createdAt), atLeast })
}

async function reserve(
  context: Context,
  owner: string | null,
  holding: Holding & { atLeast?: boolean },
): Promise<void> {
  const { maxUploadsPerUser: uploads, maxBytesPerUser: bytes, now, lockWaitMs } = context.options
  if (owner === null || (uploads === null && bytes === null)) return
  // Where that takes longer what is known counts: better an upload too many for a while than none for anybody.
  await context.sweeper.accountsWhole(lockWaitMs)
  const ask = (): Promise<Excess | null> => context.state.accounts.reserve(owner, holding, { uploads, bytes }, now())
  const excess = await ask()
  if (excess === null) return
  // Before somebody is refused: what is counted may have ended, or never been.
  await dropSettled(context, owner)
  const still = await ask()
  if (still !== null) throw exceeded(still)
}

/** Takes out of an account what is not unfinished any more. */
async function dropSettled(context: Context, owner: string): Promise<void> {
  const { accounts } = context.state
  let after: Holding | null = null
  for (let seen = 0; seen < MOST_LOOKED_AT; seen += PAGE) {
    const page: readonly Holding[] = await accounts.page(owner, after, PAGE)
    await Promise.all(page.map((holding) => dropIfSettled(context, owner, holding)))
    after = page.at(-1) ?? null
    if (page.length < PAGE) return
  }
}

/** The upload of a holding; null, and the holding is dropped, where it is not unfinished any more. */
export async function dropIfSettled(context: Context, owner: string, holding: Holding): Promise<Upload | null> {
  const { id, at } = holding
  const upload = await load(context, id)
  const now = upload === null ? null : await expireIfDue(context, upload)
  if (now !== null && isUnfinished(now)) return now
  // One that is not there may be about to be made.
  if (now !== null || at + SETTLED_MS <= context.options.now()) await context.state.accounts.release(owner, id)
  return null
}

function exceeded({ of, limit, used, requested }: Excess): UploadError {
  const message =
    of === 'uploads'
      ? `You have ${used} unfinished uploads, of at most ${limit}. Complete or cancel one, then begin this one again.`
      : `Your unfinished uploads have ${used} of at most ${limit} bytes; ${requested} more were asked for. Complete or cancel some, then try again.`
  return new UploadError('QUOTA_EXCEEDED', { message, details: { of, limit, used, requested } })
}
