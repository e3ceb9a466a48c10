import { Type, type Static } from 'typebox'

/** The most bytes of a file's name. */
export const MAX_NAME_BYTES = 255
/** The most bytes of `metadata`, as JSON. */
export const MAX_METADATA_BYTES = 8 * 1024
/** The type of a file whose type nobody named. */
export const DEFAULT_CONTENT_TYPE = 'application/octet-stream'

/** The body of an initiate: what its fields are checked by, typed by and documented by. */
export const CreateBody = Type.Object({
  fileName: Type.String({
    minLength: 1,
    maxLength: MAX_NAME_BYTES,
    // The control characters of Unicode (Cc) are these: not every reader of JSON Schema knows \p.
    pattern: String.raw`^(?!\.{1,2}$)[^/\\\u0000-\u001f\u007f-\u009f]+$`,
    description:
      'A name, never a path: no `/`, no `\\`, no control characters, not `.` or `..`. ' +
      `At most ${MAX_NAME_BYTES} bytes of UTF-8.`,
  }),
  fileSize: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'Bytes of the file. A file of 0 bytes has no chunks, and still wants to be completed.',
  }),
  contentType: Type.Optional(
    Type.String({
      maxLength: 255,
      default: DEFAULT_CONTENT_TYPE,
      description: 'Media type of the file. An empty text stands for the default.',
    }),
  ),
  metadata: Type.Optional(
    Type.Unsafe<Readonly<Record<string, unknown>>>({
      type: 'object',
      additionalProperties: true,
      description: `Any JSON object of yours, of at most ${MAX_METADATA_BYTES} bytes.`,
    }),
  ),
  chunkSize: Type.Optional(
    // Without limits: only the storage knows them, and its refusal names them.
    Type.Integer({
      description:
        'Bytes of a chunk, within what the storage takes; without it the server chooses. ' +
        'It grows in whole MiB where the file would need too many chunks: go by the `chunkSize` of the answer.',
    }),
  ),
  checksum: Type.Optional(
    Type.String({
      pattern: '^[0-9A-Fa-f]{64}$',
      description: 'SHA-256 in hex that the whole file must have. Another file fails as it is completed.',
    }),
  ),
})

/** What the body of an initiate holds. Other fields may stand in it, and are ignored. */
export type CreateBody = Static<typeof CreateBody>
