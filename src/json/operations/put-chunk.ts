import type { FaceReply } from '../../http.ts'
import { withClientSignal } from '../client-signal.ts'
import { declaredChecksums } from '../headers/chunk-checksum.ts'
import { parseChunkNumber } from '../headers/chunk-number.ts'
import { parseContentLength } from '../headers/content-length.ts'
import { wantOctets } from '../headers/content-type.ts'
import { headerText } from '../headers/header.ts'
import type { OperationCall, OperationContext } from '../operation.ts'
import { successReply } from '../reply.ts'
import { chunkView } from '../views.ts'

/** `POST /:id/chunks`: stores one chunk. */
export async function putChunk({ uploads }: OperationContext, { raw, caller, id }: OperationCall): Promise<FaceReply> {
  wantOctets(raw.headers)
  const number = parseChunkNumber(headerText(raw.headers, 'x-chunk-number'))
  const checksums = declaredChecksums(raw)
  const contentLength = parseContentLength(raw.headers)
  const { entry, upload } = await withClientSignal(raw, (signal) =>
    uploads.putChunk(
      id,
      { number, body: raw, contentLength, signal, ...(checksums === undefined ? {} : { checksums }) },
      caller,
    ),
  )
  return successReply(200, { data: chunkView(entry, upload) })
}
