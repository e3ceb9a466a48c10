import { downloadReply } from '../downloads/download-reply.ts'
import { isUploadError, UploadError } from '../errors.ts'
import type { FaceReply } from '../http.ts'
import type { Download, Uploads } from '../uploads.ts'
import type { TusRequest } from './tus-request.ts'

/**
 * Sends a finished upload's file. The specification has no GET; clients and people expect one.
 * @throws UploadError `UPLOAD_NOT_FOUND`, also while it is not finished, and when it was terminated; other 410 codes; what
 * {@link downloadReply} throws
 */
export async function get(uploads: Uploads, id: string, { caller, raw }: TusRequest): Promise<FaceReply> {
  const download = await uploads.download(id, caller).catch(asMissing)
  return downloadReply(download, { method: 'GET', headers: raw.headers })
}

/**
 * "For all future requests to this URL, the Server SHOULD respond with the 404 Not Found or 410 Gone status." Of the two a
 * GET has 404: where there is no upload any more there is no file either, and tus-js-client's own tests look for that.
 */
function asMissing(error: unknown): Promise<Download> {
  if (isUploadError(error) && error.code === 'UPLOAD_CANCELLED') throw new UploadError('UPLOAD_NOT_FOUND')
  throw error
}
