import { isUploadError } from '../errors.ts'
import type { Context } from './context.ts'

/** What is locked by whoever sweeps; no upload's id. */
export const SWEEP_LOCK = 'sweep'

/**
 * Visits every upload that storage knows, under the lease of whoever sweeps; that makes whole what is known of what owners
 * have unfinished. `visit` resolves with what went wrong, or undefined. Returns whether it came to its end.
 */
export async function walkUploads(
  { storage, state }: Context,
  visit: (id: string) => Promise<unknown>,
  isStopped: () => boolean,
): Promise<boolean> {
  const walk = await state.accounts.beginWalk()
  let isWhole = true
  for await (const id of storage.list()) {
    if (isStopped()) return false
    const error = await visit(id)
    // What storage could not say is entered when it is next touched; what state could not take would be missed.
    if (isUploadError(error) && error.code === 'STATE_UNAVAILABLE') isWhole = false
  }
  if (isWhole) await state.accounts.endWalk(walk)
  return true
}
