import { UploadError } from '../../errors.ts'
import type { FaceReply } from '../../http.ts'
import type { OperationCall, OperationContext } from '../operation.ts'
import { successReply } from '../reply.ts'
import { listView } from '../views.ts'

/** `GET /`: the caller's unfinished uploads. */
export async function list({ uploads }: OperationContext, { raw, caller }: OperationCall): Promise<FaceReply> {
  const query = new URLSearchParams(/\?([^#]*)/.exec(raw.url ?? '')?.[1] ?? '')
  const [limit, cursor] = [single(query, 'limit'), single(query, 'cursor')]
  const page = await uploads.list(
    {
      // What is no whole number is refused as a limit that is out of bounds.
      ...(limit === undefined ? {} : { limit: /^\d{1,9}$/.test(limit) ? Number(limit) : Number.NaN }),
      ...(cursor === undefined ? {} : { cursor }),
    },
    caller,
  )
  return successReply(200, { data: listView(page) })
}

function single(query: URLSearchParams, name: string): string | undefined {
  const [value, ...more] = query.getAll(name)
  if (more.length === 0) return value
  throw new UploadError('INVALID_REQUEST', { message: `${name} is given more than once.`, details: { field: name } })
}
