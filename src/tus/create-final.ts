import { UploadError } from '../errors.ts'
import type { FaceReply } from '../http.ts'
import type { Uploads } from '../uploads.ts'
import { hasBody } from './request-headers.ts'
import { readFile } from './requests.ts'
import type { TusRequest } from './tus-request.ts'
import type { UploadConcat } from './upload-concat.ts'

/** An `Upload-Concat` that asks for a file. */
type FinalConcat = Extract<UploadConcat, { kind: 'final' }>

/**
 * Makes a file of partial uploads. It stands when this is answered: clients ask nothing more of it.
 *
 * "When creating a new final upload the partial uploads' metadata SHALL NOT be transferred to the new final upload."
 * @throws UploadError `INVALID_REQUEST`, `FORBIDDEN`, and what {@link Uploads.concatenate} throws
 */
export async function createFinal(
  uploads: Uploads,
  request: TusRequest,
  { parts, spelling }: FinalConcat,
  location: () => string,
): Promise<FaceReply> {
  const { headers } = request.raw
  // "The Client MUST NOT include the Upload-Length header in the final upload creation."
  for (const name of ['Upload-Length', 'Upload-Defer-Length']) {
    if (headers[name.toLowerCase()] === undefined) continue
    throw new UploadError('INVALID_REQUEST', {
      message: `${name} must not be sent for a final upload: it is as long as the partial ones together.`,
      details: { field: name },
    })
  }
  // As for a PATCH: "The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL".
  if (hasBody(headers)) {
    throw new UploadError('FORBIDDEN', { message: 'A final upload takes no bytes: send it without a body.' })
  }
  const input = { ...readFile(headers), parts, spelling }
  const { upload, uploadToken } = await uploads.concatenate(input, request.caller)
  request.id = upload.manifest.id
  request.token = uploadToken
  request.upload = upload
  return { status: 201, headers: { Location: location() }, body: null }
}
