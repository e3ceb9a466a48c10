import type { FaceReply } from '../../http.ts'
import type { OperationCall, OperationContext } from '../operation.ts'
import { successReply } from '../reply.ts'

/** `DELETE /:id`: cancels an unfinished upload. */
export async function cancel({ uploads }: OperationContext, { caller, id }: OperationCall): Promise<FaceReply> {
  await uploads.cancel(id, caller)
  return successReply(200, { message: 'Upload cancelled successfully' })
}
