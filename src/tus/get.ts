import { downloadReply } from '../downloads/download-reply.ts'
import type { FaceReply } from '../http.ts'
import type { Uploads } from '../uploads.ts'
import type { TusRequest } from './tus-request.ts'

/**
 * Sends a finished upload's file. The specification has no GET; clients and people expect one.
 * @throws UploadError `UPLOAD_NOT_FOUND`, also while it is not finished; 410 codes; what {@link downloadReply} throws
 */
export async function get(uploads: Uploads, id: string, { caller, raw }: TusRequest): Promise<FaceReply> {
  return downloadReply(await uploads.download(id, caller), { method: 'GET', headers: raw.headers })
}
