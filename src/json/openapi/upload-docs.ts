import type { JsonErrorCode } from '../failure-schema.ts'
import { EXAMPLE_FACTS, EXAMPLE_FILE } from './example-file.ts'
import {
  CHUNK_CHECKSUM,
  CHUNK_NUMBER,
  CONTENT_DIGEST,
  CURSOR,
  IDEMPOTENCY_KEY,
  LAST_EVENT_ID,
  LIMIT,
  PREFER,
} from './parameters.ts'
import { answerWith, refTo } from './responses.ts'
import type { OperationDoc, OperationObject } from './types.ts'

const { id, fileId, at, expiresAt } = EXAMPLE_FACTS
const { name, size, chunkSize, lastChunk, lastChunkSha256, metadata, sha256 } = EXAMPLE_FILE

const GONE: readonly JsonErrorCode[] = ['UPLOAD_EXPIRED', 'UPLOAD_CANCELLED', 'UPLOAD_FAILED']
const JSON_BODY: readonly JsonErrorCode[] = ['INVALID_REQUEST', 'TIMEOUT', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']

const NO_INPUT: OperationObject['requestBody'] = {
  required: false,
  content: { 'application/json': { schema: { type: 'object' }, example: {} } },
}

const progressExample = {
  sessionId: id,
  fileId,
  fileName: name,
  totalSize: size,
  uploadedBytes: lastChunk.length,
  percentComplete: 0,
  chunksUploaded: 1,
  totalChunks: 2,
  status: 'uploading',
  estimatedTimeRemaining: '00:00:42',
  bytesPerSecond: 123_456,
  missingChunks: [[0, 0]],
  chunkSize,
  expiresAt,
}

const progressOfUpload: Omit<OperationDoc, 'operationId'> = {
  summary: 'How far an upload is',
  description: 'Asks nobody to wait: it may be called while chunks are on their way.',
  success: {
    '200': answerWith('How far it is.', 'Progress', progressExample),
  },
  errors: ['UPLOAD_NOT_FOUND', ...GONE],
}

/** What there is to say of each operation on uploads, by method and pattern. */
export const UPLOAD_DOCS: Readonly<Record<string, OperationDoc>> = {
  'GET /': {
    operationId: 'listUploads',
    summary: 'The unfinished uploads of the caller',
    description:
      'The newest first. Who is not asked who he is has none (`UNAUTHENTICATED`). A page may have fewer items than were ' +
      'asked for, and still not be the last: go by `nextCursor`.',
    parameters: [LIMIT, CURSOR],
    success: {
      '200': answerWith('What there is to resume.', 'UploadList', { items: [progressExample], nextCursor: null }),
    },
    errors: ['INVALID_REQUEST'],
  },

  'POST /initiate': {
    operationId: 'initiateUpload',
    summary: 'Begins an upload',
    description: 'Unknown fields of the body are ignored; nothing is coerced.',
    parameters: [IDEMPOTENCY_KEY],
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: refTo('CreateBody'),
          example: {
            fileName: name,
            fileSize: size,
            contentType: 'application/octet-stream',
            metadata,
            chunkSize,
            checksum: sha256,
          },
        },
      },
    },
    success: {
      '201': answerWith(
        'The upload has begun. Send its chunks, then complete it.',
        'Created',
        {
          id,
          fileId,
          fileName: name,
          fileSize: size,
          chunkSize,
          totalChunks: 2,
          status: 'initiated',
          expiresAt,
          tusUrl: `/files/${id}`,
        },
        { Location: { description: 'Address of the upload.', schema: { type: 'string', format: 'uri-reference' } } },
      ),
    },
    errors: [
      ...JSON_BODY,
      ...GONE,
      'FILE_TOO_LARGE',
      'QUOTA_EXCEEDED',
      'IDEMPOTENCY_KEY_REUSED',
      'UPLOAD_LOCKED',
      'STORAGE_FULL',
    ],
  },

  'POST /:id/chunks': {
    operationId: 'putChunk',
    summary: 'Stores one chunk',
    description:
      'Chunk n is the bytes from n · `chunkSize` on, `chunkSize` of them; the last chunk has what is left. ' +
      'A chunk that is answered with 200 is durable. The same bytes again are answered as they were the first time.',
    parameters: [CHUNK_NUMBER, CHUNK_CHECKSUM, CONTENT_DIGEST],
    requestBody: {
      required: true,
      content: {
        // `format: binary` is what generators of clients know raw bytes by.
        'application/octet-stream': { schema: { type: 'string', format: 'binary' }, example: lastChunk },
      },
    },
    success: {
      '200': answerWith('The chunk is durable.', 'Chunk', {
        chunkNumber: 1,
        size: lastChunk.length,
        checksum: lastChunkSha256,
        storageKey: `uploads/${fileId}/chunks/1`,
        uploadedAt: at,
        expiresAt,
      }),
    },
    errors: [
      'INVALID_REQUEST',
      'INVALID_CHUNK_NUMBER',
      'CHUNK_SIZE_MISMATCH',
      'UPLOAD_NOT_FOUND',
      'TIMEOUT',
      'CHUNK_CONFLICT',
      'UPLOAD_COMPLETED',
      ...GONE,
      'FILE_TOO_LARGE',
      'QUOTA_EXCEEDED',
      'UNSUPPORTED_MEDIA_TYPE',
      'CHECKSUM_MISMATCH',
      'UPLOAD_LOCKED',
      'STORAGE_FULL',
    ],
  },

  'GET /:id/progress': { operationId: 'getProgress', ...progressOfUpload },
  'GET /:id': { operationId: 'getUpload', ...progressOfUpload },

  'GET /:id/events': {
    operationId: 'watchUpload',
    summary: 'Watches an upload',
    description:
      'Server-Sent Events, from whatever node: `snapshot`, then `progress`, at most four a second, both with what ' +
      '`getProgress` answers as their data. Then one of `completed` (data: what `completeUpload` answers), `cancelled`, ' +
      '`expired` and `failed`, after which the stream ends: close it then. A stream that ends without one of them does so ' +
      'because the server shuts down: connect again.',
    parameters: [LAST_EVENT_ID],
    success: {
      '200': {
        description: 'The stream.',
        content: {
          'text/event-stream': {
            schema: { type: 'string' },
            example: `event: progress\ndata: {"sessionId":"${id}","uploadedBytes":${lastChunk.length}}\n\n`,
          },
        },
      },
      '204': { description: 'The end was told before, as `Last-Event-ID` says: do not connect again.' },
    },
    errors: ['UPLOAD_NOT_FOUND'],
  },

  'POST /:id/resume': {
    operationId: 'resumeUpload',
    summary: 'Takes an upload up again',
    description: 'Says what is missing, and lets the upload live on for a full period.',
    requestBody: NO_INPUT,
    success: {
      '200': answerWith('Send what is missing.', 'Resumed', {
        id,
        status: 'active',
        uploadedBytes: lastChunk.length,
        nextChunkNumber: 0,
        missingChunks: [[0, 0]],
        chunkSize,
        totalChunks: 2,
        expiresAt,
      }),
    },
    errors: [...JSON_BODY, 'UPLOAD_NOT_FOUND', 'UPLOAD_COMPLETED', ...GONE, 'UPLOAD_LOCKED', 'STORAGE_FULL'],
  },

  'POST /:id/complete': {
    operationId: 'completeUpload',
    summary: 'Makes the file, once every chunk is there',
    description:
      'May be called again, and answers the same. A file that has not the declared checksum ends the upload.',
    parameters: [PREFER],
    requestBody: NO_INPUT,
    success: {
      '200': answerWith(
        'The file is there.',
        'Completed',
        {
          id: fileId,
          name,
          size,
          contentType: 'application/octet-stream',
          status: 'uploaded',
          uploadedAt: at,
          checksum: sha256,
          checksumType: 'FULL_OBJECT',
        },
        {
          'Preference-Applied': {
            description: 'The `wait` that was granted, where one was asked for.',
            schema: { type: 'string' },
          },
        },
      ),
    },
    errors: [
      ...JSON_BODY,
      'UPLOAD_NOT_FOUND',
      'CHUNKS_MISSING',
      ...GONE,
      'CHECKSUM_MISMATCH',
      'UPLOAD_LOCKED',
      'STORAGE_FULL',
    ],
  },

  'DELETE /:id': {
    operationId: 'cancelUpload',
    summary: 'Cancels an unfinished upload',
    description: 'Its bytes are deleted. May be called again, and answers the same.',
    success: {
      '200': {
        description: 'It is cancelled.',
        content: {
          'application/json': {
            schema: refTo('Cancelled'),
            example: { success: true, message: 'Upload cancelled successfully' },
          },
        },
      },
    },
    errors: [
      'UPLOAD_NOT_FOUND',
      'UPLOAD_COMPLETED',
      'UPLOAD_EXPIRED',
      'UPLOAD_FAILED',
      'UPLOAD_LOCKED',
      'STORAGE_FULL',
    ],
  },
}
