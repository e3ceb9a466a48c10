import { UploadError } from '../../errors.ts'
import type { S3Context } from './context.ts'
import type { Place } from './manifest.ts'
import { recordGone } from './records.ts'

/** One look is not enough to say that an upload is lost for good, ms. */
const BETWEEN_LOOKS_MS = 60_000
/** A look so long ago says nothing any more, ms. */
const LAPSED_MS = 3_600_000

/**
 * S3 has neither the parts nor the object of an upload, though no end is recorded: a rule of the bucket may have aborted
 * its multipart upload. It may also be a passing trouble; when it is seen again a while later, the upload is recorded as
 * failed. Resolves when that is so.
 *
 * @throws UploadError `STORAGE_UNAVAILABLE` until then
 */
export async function recordLost(context: S3Context, place: Place): Promise<void> {
  const cause = new Error(`S3 has neither the parts nor the object of upload ${place.id}.`)
  const now = context.options.now()
  const before = context.lost.get(place.id)
  const seen = before === undefined || now - before > LAPSED_MS ? undefined : before
  if (seen === undefined) {
    context.lost.set(place.id, now)
    context.options.onWarning(`${cause.message} Does a rule of the bucket abort multipart uploads?`)
  }
  if (seen === undefined || now - seen < BETWEEN_LOOKS_MS) throw new UploadError('STORAGE_UNAVAILABLE', { cause })
  await recordGone(context, place, 'failed', now, undefined)
}

/** Parts or object were seen: whatever was wrong has passed. */
export function seenAgain(context: S3Context, id: string): void {
  context.lost.delete(id)
}
