import type { JsonErrorCode } from '../failure-schema.ts'
import { EXAMPLE_FACTS, EXAMPLE_FILE } from './example-file.ts'
import { header } from './parameters.ts'
import { answerWith, refTo } from './responses.ts'
import type { ContentObject, HeaderObject, OperationDoc, ResponseObject } from './types.ts'

const { fileId, at } = EXAMPLE_FACTS
const { name, size, metadata, sha256, lastChunk } = EXAMPLE_FILE

const CONDITIONS = ['If-Match', 'If-None-Match', 'If-Modified-Since', 'If-Unmodified-Since'].map((field) =>
  header(field, 'As RFC 9110 section 13 has it.', { type: 'string' }),
)
const RANGE = header(
  'Range',
  'One range of bytes; several are answered with the whole file.',
  { type: 'string' },
  `bytes=${EXAMPLE_FILE.chunkSize}-`,
)
const IF_RANGE = header('If-Range', 'The `ETag` or `Last-Modified` for which the range is meant.', { type: 'string' })

const CONTENT_ERRORS: readonly JsonErrorCode[] = ['FILE_NOT_FOUND', 'PRECONDITION_FAILED']

const HEADERS: Readonly<Record<string, HeaderObject>> = {
  'Accept-Ranges': text('`bytes`.'),
  'Content-Disposition': text('Always an attachment, with the name of the file (RFC 6266).'),
  ETag: text('A strong validator.'),
  'Last-Modified': text('When the file was made.'),
  'Repr-Digest': text('SHA-256 of the whole file (RFC 9530), once it is known.'),
}
/** The media type is that of the file: it may be any. */
const BYTES: ContentObject = { '*/*': { schema: { type: 'string', format: 'binary' } } }
const RANGE_OF_BYTES: ContentObject = {
  '*/*': { schema: { type: 'string', format: 'binary' }, example: lastChunk },
}

const WHOLE: ResponseObject = { description: 'The whole file.', headers: HEADERS }
const NOT_MODIFIED: ResponseObject = {
  description: 'The client has it already.',
  headers: { ETag: text('A strong validator.') },
}

/** What there is to say of each operation on finished files, by method and pattern. */
export const FILE_DOCS: Readonly<Record<string, OperationDoc>> = {
  'GET /:id': {
    operationId: 'getFile',
    summary: 'The record of a finished file',
    description: 'The checksum stands in it as soon as it is known.',
    success: {
      '200': answerWith('The record.', 'File', {
        id: fileId,
        name,
        size,
        contentType: 'application/octet-stream',
        status: 'uploaded',
        uploadedAt: at,
        checksum: sha256,
        checksumType: 'FULL_OBJECT',
        metadata,
      }),
    },
    errors: ['FILE_NOT_FOUND'],
  },

  'GET /:id/content': {
    operationId: 'downloadFile',
    summary: 'The bytes of a finished file',
    description: 'Whole, or the range asked for.',
    parameters: [RANGE, IF_RANGE, ...CONDITIONS],
    success: {
      '200': { ...WHOLE, content: BYTES },
      '206': {
        description: 'The range asked for.',
        headers: { ...HEADERS, 'Content-Range': text('Which bytes these are, and of how many.') },
        content: RANGE_OF_BYTES,
      },
      '302': {
        description:
          'The bytes are elsewhere, on a CDN or in the storage. Send the same request there, without credentials.',
        headers: { Location: text('Where.') },
      },
      '304': NOT_MODIFIED,
    },
    errors: [...CONTENT_ERRORS, 'RANGE_NOT_SATISFIABLE'],
  },

  'HEAD /:id/content': {
    operationId: 'headFile',
    summary: 'What a download would begin with',
    description: 'Size, type, name and validators; a range is not looked at. No answer has a body, failures neither.',
    parameters: CONDITIONS,
    success: { '200': WHOLE, '304': NOT_MODIFIED },
    errors: CONTENT_ERRORS,
  },

  'DELETE /:id': {
    operationId: 'deleteFile',
    summary: 'Deletes a finished file',
    description: 'Also ends the upload that made it.',
    success: {
      '200': {
        description: 'It is deleted.',
        content: {
          'application/json': {
            schema: refTo('Deleted'),
            example: { success: true, message: 'File deleted successfully' },
          },
        },
      },
    },
    errors: ['FILE_NOT_FOUND', 'UPLOAD_LOCKED'],
  },
}

function text(description: string): HeaderObject {
  return { description, schema: { type: 'string' } }
}
