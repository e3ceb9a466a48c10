import type { FaceReply } from '../../http.ts'
import type { OperationCall, OperationContext } from '../operation.ts'
import { successReply } from '../reply.ts'
import { progressView } from '../views.ts'

/** `GET /:id/progress`, `GET /:id`: how far an upload is. */
export async function progress({ uploads }: OperationContext, { caller, id }: OperationCall): Promise<FaceReply> {
  return successReply(200, { data: progressView(await uploads.progress(id, caller)) })
}
