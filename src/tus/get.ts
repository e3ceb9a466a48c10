import type { Caller } from '../access.ts'
import { contentDisposition } from '../content-disposition.ts'
import type { FaceReply } from '../http.ts'
import type { Uploads } from '../uploads.ts'

/**
 * Sends a finished upload's file. The specification has no GET; clients and people expect one.
 * @throws UploadError `UPLOAD_NOT_FOUND`, also while it is not finished; 410 codes
 */
export async function get(uploads: Uploads, id: string, caller: Caller): Promise<FaceReply> {
  const { file, open } = await uploads.download(id, caller)
  return {
    status: 200,
    headers: {
      'Content-Type': file.contentType,
      'Content-Length': String(file.size),
      'Content-Disposition': contentDisposition(file.name),
      // What a stranger uploaded must never run as this origin's.
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "default-src 'none'; sandbox",
    },
    body: await open(),
  }
}
