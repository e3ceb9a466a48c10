import { isPartial } from '../concatenation.ts'
import { UploadError } from '../errors.ts'
import type { UploadLock } from '../locks/locker.ts'
import { matchesType } from '../media-types.ts'
import { foreignType, SNIFFED_BYTES } from '../sniff.ts'
import type { Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { end } from './expire.ts'

/** @throws UploadError `UNSUPPORTED_MEDIA_TYPE` where the type a file was declared as is not allowed */
export function refuseType({ options }: Context, contentType: string): void {
  const { allowedTypes } = options
  if (allowedTypes === null || matchesType(allowedTypes, contentType)) return
  throw new UploadError('UNSUPPORTED_MEDIA_TYPE', {
    message: `Files of the type ${contentType} are not taken here; allowed are ${allowedTypes.join(', ')}.`,
    details: { contentType, allowed: allowedTypes },
  })
}

/**
 * Looks at a file's first bytes while it is being made, before anybody is told of it: by then they can be read on every
 * storage, whichever face they came through and whichever came last. A file that is not of a type allowed ends its upload;
 * killed before that is recorded, whoever completes it next finds the same.
 * @throws UploadError `UNSUPPORTED_MEDIA_TYPE`
 */
export async function verifyType(context: Context, upload: Upload, lock: UploadLock): Promise<void> {
  const { allowedTypes, sniffTypes, storage } = context.options
  const size = upload.size ?? 0
  if (allowedTypes === null || !sniffTypes || size === 0 || isPartial(upload)) return
  const first: Buffer[] = []
  for await (const buffer of storage.read(upload, 0, Math.min(size, SNIFFED_BYTES))) first.push(buffer)
  const { contentType } = upload.manifest
  const found = await foreignType(Buffer.concat(first), contentType, allowedTypes)
  if (found === null) return
  await end(context, upload, 'failed', lock)
  const what = found === 'unknown' ? `not of the type ${contentType}` : `of the type ${found}`
  throw new UploadError('UNSUPPORTED_MEDIA_TYPE', {
    message: `By its first bytes the file is ${what}; allowed are ${allowedTypes.join(', ')}. The upload has failed.`,
    details: { contentType, found, allowed: allowedTypes },
  })
}
