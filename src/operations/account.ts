import type { NewHolding } from '../state/accounts.ts'
import { gridOf, isOpen, type Manifest, type StoredUpload } from '../upload.ts'
import type { Context } from './context.ts'

const DAY_MS = 86_400_000

/**
 * Enters an upload that storage has into its owner's account, or takes one that has ended out of it: before it is told of
 * anywhere else, so that a kill leaves no upload without an entry.
 */
export async function keepAccount(context: Context, upload: StoredUpload): Promise<void> {
  const { id, owner } = upload.manifest
  if (owner === null) return
  const { accounts } = context.state
  if (isUnfinished(upload)) await accounts.enter(owner, holdingOf(context, upload))
  else await accounts.release(owner, id)
}

/** Takes an upload out of its owner's account after its end was recorded. What fails here is found out by whoever looks. */
export async function leaveAccount({ state, options }: Context, { id, owner }: Manifest): Promise<void> {
  if (owner === null) return
  try {
    await state.accounts.release(owner, id)
  } catch (error) {
    options.onError(error, `taking upload ${id} out of its owner's account`)
  }
}

/** Whether an upload has bytes, or a claim to them, and no file yet. */
export function isUnfinished(upload: StoredUpload): boolean {
  return isOpen(upload) || upload.status === 'completing'
}

/** When an upload has surely ended, ms since the epoch: nothing lives longer, but for who writes at that very time, or completes. */
export function lastsUntil({ options }: Context, createdAt: number): number {
  return Math.max(options.now(), createdAt + options.maxLifetimeMs) + DAY_MS
}

function holdingOf(context: Context, upload: StoredUpload): NewHolding {
  const { id, createdAt } = upload.manifest
  return {
    id,
    bytes: upload.size ?? upload.ledger.extent(gridOf(upload)),
    at: createdAt,
    until: lastsUntil(context, createdAt),
    atLeast: upload.size === null,
  }
}
