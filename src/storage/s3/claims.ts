import { UploadError } from '../../errors.ts'
import type { Claim, Leftover } from '../storage.ts'
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
 * Claims written before `before` (ms), by the clock of S3. Where one is removed that is claimed anew in this very moment,
 * that is lost with it: its key then means another upload, as it does after its time.
 */
export async function* overdueClaims({ bucket, keys }: S3Context, before: number): AsyncIterable<Leftover> {
  for await (const { key, modifiedAt } of bucket.list(keys.claims)) {
    if (modifiedAt < before) yield { kind: 'claim', name: key, remove: () => bucket.remove(key) }
  }
}
