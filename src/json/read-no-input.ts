import type { IncomingMessage } from 'node:http'
import { UploadError } from '../errors.ts'
import { mediaType, wantJson } from './headers/content-type.ts'
import { headerText } from './headers/header.ts'
import { readJson, type ReadJsonOptions } from './read-json.ts'

/**
 * Reads the body of a call that takes none: no body, an empty one of any type (clients set a JSON type by habit), or a
 * JSON object, whose fields mean nothing here. Anything else was meant for another call.
 *
 * @throws UploadError `INVALID_REQUEST`, `UNSUPPORTED_MEDIA_TYPE`, and what {@link readJson} throws
 */
export async function readNoInput(raw: IncomingMessage, options: ReadJsonOptions): Promise<void> {
  const { headers } = raw
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return
  // With an unknown length even a body of another type may turn out to be empty.
  const isJson = mediaType(headerText(headers, 'content-type')) === 'application/json'
  if (!isJson && headers['content-length'] !== undefined) wantJson(headers)
  const body = await readJson(raw, options)
  if (body === undefined) return
  wantJson(headers)
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return
  throw new UploadError('INVALID_REQUEST', {
    message: 'This call takes no body, or {}.',
    details: { field: 'body' },
  })
}
