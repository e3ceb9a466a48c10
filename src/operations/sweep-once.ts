import { isUploadError } from '../errors.ts'
import type { UploadLock } from '../locks/locker.ts'
import type { Leftover } from '../storage/storage.ts'
import type { Upload } from '../upload.ts'
import { keepAccount } from './account.ts'
import { type ActionOutcome, carryOut, retire } from './carry-out.ts'
import type { Context } from './context.ts'
import { IDEMPOTENCY_MS } from './create.ts'
import { load, nextExpiry } from './records.ts'
import { isSettledFile, type SweepAction, sweepActions } from './sweep-actions.ts'
import { SWEEP_LOCK, walkUploads } from './walk-uploads.ts'

/** How long a sweep that somebody else is at is waited for, ms: longer than the lease of a node that was killed. */
const LEASE_WAIT_MS = 20_000

/** How a step of a sweep went; `planned`: nothing was done, as it is a dry run. */
type SweepOutcome = ActionOutcome | 'planned'

/** One thing that a sweep does, or would do. */
export type SweepStep =
  | { readonly type: 'upload'; readonly upload: Upload; readonly action: SweepAction; readonly outcome: SweepOutcome }
  | {
      readonly type: 'leftover'
      readonly kind: Leftover['kind']
      /** Its key in the bucket, or its path in the directory. */
      readonly name: string
      readonly outcome: SweepOutcome
    }
  /** An upload that could not be looked at, or at which something failed that is not foreseen. */
  | { readonly type: 'failure'; readonly id: string; readonly error: unknown }

/** How a sweep is done. */
export interface SweepOptions {
  /** Whether it is only told what a sweep would do. @default false */
  readonly dryRun?: boolean
  /** Told of each step: after it was done, in a dry run instead of it. */
  readonly onStep?: (step: SweepStep) => void
}

/**
 * See {@link Uploads.sweep}. Both ways ask the same of what to do; a dry run differs in that nothing follows. Returns how many
 * uploads were looked at.
 */
export async function sweepOnce(
  context: Context,
  { dryRun = false, onStep = () => {} }: SweepOptions,
  isStopped: () => boolean,
): Promise<number> {
  let visited = 0
  const visitSafely = async (id: string): Promise<unknown> => {
    visited += 1
    try {
      await (dryRun ? preview(context, id, onStep) : visit(context, id, onStep))
      return undefined
    } catch (error) {
      onStep({ type: 'failure', id, error })
      return error
    }
  }
  const before = context.options.now() - IDEMPOTENCY_MS
  if (dryRun) {
    for await (const id of context.storage.list()) await visitSafely(id)
    for await (const { kind, name } of context.storage.leftovers(before)) {
      onStep({ type: 'leftover', kind, name, outcome: 'planned' })
    }
    return visited
  }
  const lease = await takeLease(context)
  try {
    if (!(await walkUploads(context, visitSafely, isStopped))) return visited
    await context.storage.sweep(before, ({ kind, name }) => onStep({ type: 'leftover', kind, name, outcome: 'done' }))
    return visited
  } finally {
    await lease.release()
  }
}

async function takeLease({ state }: Context): Promise<UploadLock> {
  try {
    return await state.locks.acquire(SWEEP_LOCK, { scope: { kind: 'whole' }, waitMs: LEASE_WAIT_MS })
  } catch (error) {
    if (!isUploadError(error) || error.code !== 'UPLOAD_LOCKED') throw error
    throw new Error('another process is sweeping just now; nothing was done', { cause: error })
  }
}

async function visit(context: Context, id: string, onStep: (step: SweepStep) => void): Promise<void> {
  const upload = await load(context, id)
  if (upload === null) return
  await keepAccount(context, upload)
  const actions = await sweepActions(context, upload)
  for (const action of actions) {
    onStep({ type: 'upload', upload, action, outcome: await carryOut(context, upload, action) })
  }
  if (isSettledFile(upload, actions)) await retire(context, upload)
}

async function preview(context: Context, id: string, onStep: (step: SweepStep) => void): Promise<void> {
  const upload = await peek(context, id)
  if (upload === null) return
  for (const action of await sweepActions(context, upload)) {
    onStep({ type: 'upload', upload, action, outcome: 'planned' })
  }
}

/** The upload as a sweep would find it; nothing learns of it. */
async function peek(context: Context, id: string): Promise<Upload | null> {
  const known = await context.state.find(id)
  if (known !== null) return known
  const stored = await context.storage.load(id)
  return stored === null ? null : { ...stored, expiresAt: nextExpiry(context, stored) }
}
