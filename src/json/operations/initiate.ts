import { parseCreateInput } from '../../create-input.ts'
import { wantJson } from '../headers/content-type.ts'
import { headerText } from '../headers/header.ts'
import { parseIdempotencyKey } from '../headers/idempotency-key.ts'
import type { OperationCall, OperationContext } from '../operation.ts'
import { readJson } from '../read-json.ts'
import { successReply } from '../reply.ts'
import { createdView } from '../views.ts'
import type { FaceReply } from '../../http.ts'

/** `POST /initiate`: begins an upload. */
export async function initiate(context: OperationContext, { raw, caller }: OperationCall): Promise<FaceReply> {
  wantJson(raw.headers)
  const key = parseIdempotencyKey(headerText(raw.headers, 'idempotency-key'))
  const input = parseCreateInput(await readJson(raw, context.reading))
  const upload = await context.uploads.create(input, caller, key === undefined ? undefined : { key })
  const { id } = upload.manifest
  return successReply(201, { data: createdView(upload, context.tusUrl(upload)) }, { Location: context.location(id) })
}
