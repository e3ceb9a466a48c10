import { UploadError } from '../../errors.ts'
import type { Claim } from '../storage.ts'
import type { S3Context } from './context.ts'
import type { Outcome } from './documents.ts'
import { isCount } from './json.ts'

/** How often a claim is tried again because another came in between. */
const TURNS = 5

/** Claims a key unless it was claimed after `since` (ms). Returns the claim that stands. */
export async function claimKey(context: S3Context, key: string, claim: Claim, since: number): Promise<Claim> {
  const { documents, keys } = context
  const name = keys.claim(key)
  let outcome: Outcome = await documents.create(name, claim)
  for (let turn = 0; turn < TURNS; turn += 1) {
    if (outcome.written) return claim
    const { standing } = outcome
    if (standing !== null) {
      const { id, fingerprint, at } = standing.value
      if (typeof id === 'string' && typeof fingerprint === 'string' && isCount(at) && at > since) {
        return { id, fingerprint, at }
      }
    }
    // One of those who find an old claim replaces it; the others find theirs.
    outcome = await (standing === null ? documents.create(name, claim) : documents.replace(name, claim, standing))
  }
  throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error('A claim is being written by many.') })
}

/**
 * Removes claims written before `before` (ms), by the clock of S3. One that is claimed anew in this very moment is lost
 * with it: its key then means another upload, as it does after its time.
 */
export async function sweepClaims(context: S3Context, before: number): Promise<void> {
  for await (const { key, modifiedAt } of context.bucket.list(context.keys.claims)) {
    if (modifiedAt < before) await context.bucket.remove(key)
  }
}
