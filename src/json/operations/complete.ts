import type { FaceReply } from '../../http.ts'
import { headerText } from '../headers/header.ts'
import { parsePreferWait } from '../headers/prefer.ts'
import type { OperationCall, OperationContext } from '../operation.ts'
import { readNoInput } from '../read-no-input.ts'
import { successReply } from '../reply.ts'
import { completedView } from '../views.ts'

/** `POST /:id/complete`: makes the file of a full ledger. */
export async function complete(context: OperationContext, { raw, caller, id }: OperationCall): Promise<FaceReply> {
  await readNoInput(raw, context.reading)
  const waitS = parsePreferWait(headerText(raw.headers, 'prefer'))
  const { file } = await context.uploads.complete(id, waitS === undefined ? {} : { waitMs: waitS * 1000 }, caller)
  const headers = waitS === undefined ? {} : { 'Preference-Applied': `wait=${waitS}` }
  return successReply(200, { data: completedView(file, context.uploads.computesChecksums) }, headers)
}
