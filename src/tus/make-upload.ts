import type { Caller } from '../access.ts'
import { isUploadError } from '../errors.ts'
import { gridOf, type Upload } from '../upload.ts'
import type { Settled, Uploads } from '../uploads.ts'
import { isOffsetOctetStream } from './request-headers.ts'
import type { Creation, TusRequest } from './tus-request.ts'

/** Ends of a creation's body after which the new upload is worth keeping: what was received can be resumed. */
const RESUMABLE: ReadonlySet<string> = new Set([
  'UPLOAD_LOCKED',
  'DRAINING',
  'TIMEOUT',
  'STORAGE_UNAVAILABLE',
  'STATE_UNAVAILABLE',
])

/**
 * Creates the upload that a POST wants, and takes the bytes that come with it.
 * @throws UploadError what {@link Uploads.create} and {@link Uploads.append} throw; nothing is left behind then
 */
export async function makeUpload(uploads: Uploads, request: TusRequest): Promise<void> {
  const { create, caller, raw } = request
  if (create === null) throw new Error('a creation without its input')
  const made = await uploads.create(create.input, caller)
  const { id } = made.manifest
  request.id = id
  request.token = made.uploadToken
  request.upload = made
  // No PATCH will come for an empty file: it is complete as soon as it is created.
  if (made.size === 0) request.upload = await completeEmpty(uploads, made, caller)
  if (!isOffsetOctetStream(raw.headers)) return
  const settled = await appendFirst(uploads, id, create, request).catch((error: unknown) =>
    afterFailedBody(uploads, id, request, error),
  )
  request.upload = settled.upload
  request.createdOffset = settled.offset
}

function appendFirst(uploads: Uploads, id: string, create: Creation, { raw, caller }: TusRequest): Promise<Settled> {
  const { contentLength, checksums } = create
  const input = { offset: 0, body: raw, contentLength, ...(checksums === undefined ? {} : { checksums }) }
  return uploads.append(id, input, caller)
}

/** A creation whose body failed either answers 201 with what was kept, or leaves nothing behind. */
async function afterFailedBody(uploads: Uploads, id: string, request: TusRequest, error: unknown): Promise<Settled> {
  const { caller } = request
  if (isWorthKeeping(error)) {
    const upload = await uploads.find(id, caller, 'write')
    // The whole length is told only when the file stands; without an offset the client asks, and HEAD completes it.
    request.offsetWithheld = upload.status !== 'uploaded' && upload.ledger.isFull(gridOf(upload))
    return { upload, offset: upload.ledger.offset(gridOf(upload)) }
  }
  // Who may not cancel leaves it to its expiry; what went wrong first is what the client has to know.
  await uploads.terminate(id, caller).catch(() => {})
  request.upload = null
  throw error
}

/** Completes an empty file. Where that cannot be now, or by who made it, it is created all the same. */
async function completeEmpty(uploads: Uploads, upload: Upload, caller: Caller): Promise<Upload> {
  try {
    return (await uploads.settle(upload.manifest.id, caller)).upload
  } catch (error) {
    // Who may not read it is told that there is none.
    if (isWorthKeeping(error) || (isUploadError(error) && error.code === 'UPLOAD_NOT_FOUND')) return upload
    throw error
  }
}

/** Also where every byte is there, and only its sender may not complete it. */
function isWorthKeeping(error: unknown): boolean {
  return isUploadError(error) && (RESUMABLE.has(error.code) || error.details?.['action'] === 'complete')
}
