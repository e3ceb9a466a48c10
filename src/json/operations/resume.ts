import type { FaceReply } from '../../http.ts'
import type { OperationCall, OperationContext } from '../operation.ts'
import { readNoInput } from '../read-no-input.ts'
import { successReply } from '../reply.ts'
import { resumedView } from '../views.ts'

/** `POST /:id/resume`: extends an upload's life and says what is missing. */
export async function resume(context: OperationContext, { raw, caller, id }: OperationCall): Promise<FaceReply> {
  await readNoInput(raw, context.reading)
  return successReply(200, { data: resumedView(await context.uploads.resume(id, caller)) })
}
