import { DEFAULT_LIST, MAX_LIST } from '../../uploads.ts'
import { MAX_WAIT_S } from '../headers/prefer.ts'
import { EXAMPLE_FACTS, EXAMPLE_FILE } from './example-file.ts'
import type { ParameterObject } from './types.ts'

/** The id in the path of a call on an upload. */
export const UPLOAD_ID: ParameterObject = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Id of the upload.',
  schema: { type: 'string', format: 'uuid' },
  example: EXAMPLE_FACTS.id,
}

/** The id in the path of a call on a finished file. */
export const FILE_ID: ParameterObject = {
  name: 'fileId',
  in: 'path',
  required: true,
  description: 'Id of the finished file.',
  schema: { type: 'string', format: 'uuid' },
  example: EXAMPLE_FACTS.fileId,
}

export const IDEMPOTENCY_KEY = header(
  'Idempotency-Key',
  'A name of yours for this request. Sent again within 24 h it answers the upload that was begun then.',
  { type: 'string', pattern: '^[!-~]{1,255}$' },
  'a4c1e0d2-greeting',
)

export const CHUNK_NUMBER: ParameterObject = {
  ...header(
    'X-Chunk-Number',
    'Which chunk this is, counted from 0. Chunks may come in any order, at once, and again.',
    { type: 'integer', minimum: 0 },
    1,
  ),
  required: true,
}

export const CHUNK_CHECKSUM = header(
  'X-Chunk-Checksum',
  'SHA-256 of the chunk in hex. Nothing of a body that has another one is kept.',
  { type: 'string', pattern: '^[0-9A-Fa-f]{64}$' },
  EXAMPLE_FILE.lastChunkSha256,
)

export const CONTENT_DIGEST = header(
  'Content-Digest',
  'The same in the form of RFC 9530: `sha-256`, `sha-512`, or both; without either among its algorithms it is refused. ' +
    'It may come after the body, too, as a trailer that `Trailer` announces.',
  { type: 'string' },
  EXAMPLE_FILE.lastChunkDigest,
)

export const LAST_EVENT_ID = header(
  'Last-Event-ID',
  'Sent by an EventSource that connects again by itself: `end` once it was told the end.',
  { type: 'string' },
)

export const PREFER = header(
  'Prefer',
  `\`wait=N\` (RFC 7240): how many seconds to wait for the checksum of the file; at most ${MAX_WAIT_S}, without it 20.`,
  { type: 'string' },
  'wait=30',
)

export const LIMIT: ParameterObject = {
  name: 'limit',
  in: 'query',
  required: false,
  description: 'How many at most.',
  schema: { type: 'integer', minimum: 1, maximum: MAX_LIST, default: DEFAULT_LIST },
  example: 20,
}

export const CURSOR: ParameterObject = {
  name: 'cursor',
  in: 'query',
  required: false,
  description: 'The `nextCursor` of the page before. What begins or ends meanwhile moves nothing.',
  schema: { type: 'string' },
}

/** A header that may be left out. */
export function header(
  name: string,
  description: string,
  schema: ParameterObject['schema'],
  example?: string | number,
): ParameterObject {
  return { name, in: 'header', required: false, description, schema, ...(example === undefined ? {} : { example }) }
}
