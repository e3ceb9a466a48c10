import type { FaceReply } from '../../http.ts'
import { END_ID, EventStream } from '../event-stream.ts'
import type { OperationCall, OperationContext } from '../operation.ts'

/** The longest time without an event or a comment, ms. */
const COMMENT_MS = 15_000

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  // nginx would hold back events until its buffer is full.
  'X-Accel-Buffering': 'no',
} as const

/** Server-Sent Events of an upload: its progress, on whatever node it is written, and its end. */
export async function events({ uploads }: OperationContext, { id, caller, raw }: OperationCall): Promise<FaceReply> {
  const watch = await uploads.watch(id, caller)
  if (raw.headers['last-event-id'] === END_ID) {
    // An EventSource comes again by itself, also after the end; "HTTP 204 No Content" tells it to stop.
    watch.close()
    return { status: 204, headers: { 'Cache-Control': 'no-store' }, body: null }
  }
  // Before an adapter takes the silence for a client that reads nothing.
  const commentMs = Math.min(COMMENT_MS, Math.ceil(uploads.idleTimeoutMs / 2))
  return {
    status: 200,
    headers: HEADERS,
    body: new EventStream(watch, { commentMs, computes: uploads.computesChecksums }),
  }
}
