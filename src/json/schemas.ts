import { Type, type Static, type TSchema } from 'typebox'
import type { UploadStatus } from '../upload.ts'

const UPLOAD_STATUSES = [
  'initiated',
  'uploading',
  'completing',
  'uploaded',
  'cancelled',
  'expired',
  'failed',
] as const satisfies readonly UploadStatus[]

const UploadId = Type.String({ format: 'uuid', description: 'Id of the upload, on the tus face too.' })
const FileId = Type.String({ format: 'uuid', description: 'Id of the finished file.' })
const FileName = Type.String()
const ChunkSize = Type.Integer({ minimum: 1, description: 'Bytes of every chunk but the last. It never changes.' })
const ExpiresAt = Type.String({
  format: 'date-time',
  description: 'When the upload expires, unless a byte or a resume comes before.',
})
const UploadedAt = Type.String({ format: 'date-time' })
const Sha256 = { pattern: '^[0-9a-f]{64}$' }
const TotalChunks = nullable(count('How many chunks the file has; null while its length is deferred.'))
const UploadedBytes = count('Bytes that are durable, wherever in the file.')

// By hand: as an array and a tuple of TypeBox it would be an older JSON Schema's, and could be written to.
const MissingChunks = Type.Unsafe<readonly (readonly [first: number, last: number])[]>({
  type: 'array',
  items: { type: 'array', items: { type: 'integer', minimum: 0 }, minItems: 2, maxItems: 2 },
  description: 'The chunks still to be sent, as ranges `[first, last]`.',
})

/** `data` of an initiate. */
export const Created = Type.Object({
  id: UploadId,
  fileId: FileId,
  fileName: FileName,
  fileSize: count('Bytes of the file.'),
  chunkSize: ChunkSize,
  totalChunks: count('How many chunks there are to send.'),
  status: Type.Enum(UPLOAD_STATUSES, {
    description: '`initiated`, unless an Idempotency-Key found an upload that has gone on.',
  }),
  expiresAt: ExpiresAt,
  tusUrl: Type.String({ format: 'uri-reference', description: 'Address of the same upload on the tus face.' }),
  uploadToken: Type.Optional(
    Type.String({
      description:
        'Good for this upload alone until it ends, as `Authorization: Bearer …` or `?token=…`, on the tus face too. ' +
        'There where one has to log in.',
    }),
  ),
})

/** `data` of a stored chunk. */
export const Chunk = Type.Object({
  chunkNumber: count('Counted from 0.'),
  size: count('Bytes of the chunk.'),
  checksum: Type.String({ ...Sha256, description: 'SHA-256 of the chunk, in hex.' }),
  storageKey: Type.String({ description: 'A label of the chunk. There is nothing to fetch by it.' }),
  uploadedAt: UploadedAt,
  expiresAt: ExpiresAt,
})

/** `data` of a progress. */
export const Progress = Type.Object({
  sessionId: UploadId,
  fileId: FileId,
  fileName: FileName,
  totalSize: nullable(count('Bytes of the file; null while its length is deferred.')),
  uploadedBytes: UploadedBytes,
  percentComplete: nullable(
    Type.Number({
      minimum: 0,
      maximum: 100,
      description: 'With two decimals. It speaks of bytes: only `status` says that the file is done.',
    }),
  ),
  chunksUploaded: count('How many chunks are durable.'),
  totalChunks: TotalChunks,
  status: Type.Enum(UPLOAD_STATUSES, { description: 'Only `uploaded` says that the file is done.' }),
  estimatedTimeRemaining: nullable(
    Type.String({ pattern: '^[0-9]{2,}:[0-5][0-9]:[0-5][0-9]$', description: '`HH:MM:SS`; null while unknown.' }),
  ),
  bytesPerSecond: Type.Number({ minimum: 0, description: 'Over the last seconds in which bytes came.' }),
  missingChunks: MissingChunks,
  chunkSize: ChunkSize,
  expiresAt: ExpiresAt,
})

/** `data` of a list. */
export const UploadList = Type.Object({
  items: Type.Array(Progress, { description: 'The newest first; at most as many as were asked for.' }),
  nextCursor: nullable(Type.String({ description: 'The `cursor` of the next page; null where there is none.' })),
})

/** `data` of a complete. */
export const Completed = Type.Object({
  id: FileId,
  name: FileName,
  size: count('Bytes of the file.'),
  contentType: Type.String(),
  status: Type.Literal('uploaded'),
  uploadedAt: UploadedAt,
  checksum: nullable(
    Type.String({
      ...Sha256,
      description: 'SHA-256 of the whole file in hex, what `sha256sum` prints; null while it is being computed.',
    }),
  ),
  checksumType: Type.Literal('FULL_OBJECT'),
  checksumStatus: Type.Optional(
    Type.Literal('computing', { description: 'There while `checksum` is null: complete again to ask for it.' }),
  ),
  storageChecksum: Type.Optional(Type.String({ description: 'A checksum of the storage’s own, where there is one.' })),
  url: Type.Optional(Type.String({ format: 'uri', description: 'Its address on the CDN, where there is one.' })),
})

/** `data` of a resume. */
export const Resumed = Type.Object({
  id: UploadId,
  status: Type.Literal('active'),
  uploadedBytes: UploadedBytes,
  nextChunkNumber: nullable(count('The first chunk missing; null when none is.')),
  missingChunks: MissingChunks,
  chunkSize: ChunkSize,
  totalChunks: TotalChunks,
  expiresAt: ExpiresAt,
})

/** `data` of a finished file. */
export const File = Type.Object({
  ...Completed.properties,
  metadata: Type.Unsafe<Readonly<Record<string, unknown>>>({
    type: 'object',
    additionalProperties: true,
    description: 'What initiate was given.',
  }),
})

/** The whole answer to a cancel. */
export const Cancelled = Type.Object({ success: Type.Literal(true), message: Type.String() })

/** The whole answer to a file that is deleted. */
export const Deleted = Cancelled

/** The types of what is answered. */
export type Created = Static<typeof Created>
export type Chunk = Static<typeof Chunk>
export type Progress = Static<typeof Progress>
export type UploadList = Static<typeof UploadList>
export type Completed = Static<typeof Completed>
export type File = Static<typeof File>
export type Resumed = Static<typeof Resumed>

function count(description: string) {
  return Type.Integer({ minimum: 0, description })
}

function nullable<T extends TSchema>(type: T) {
  return Type.Union([type, Type.Null()])
}
