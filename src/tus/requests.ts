import type { IncomingHttpHeaders } from 'node:http'
import { CONTENT_DIGEST, readChecksums, UPLOAD_CHECKSUM, type ChecksumRequest } from '../checksum/read-checksums.ts'
import { UploadError } from '../errors.ts'
import type { Creation, Patch } from './tus-request.ts'
import {
  contentLength,
  hasBody,
  isOffsetOctetStream,
  OFFSET_OCTET_STREAM,
  uploadLength,
  wholeNumber,
} from './request-headers.ts'
import { UPLOAD_CONCAT, type UploadConcat } from './upload-concat.ts'
import { parseUploadMetadata } from './upload-metadata.ts'

/**
 * Reads the headers of a creation. Whether a length is there, and one only, @tus/server checks.
 * @param maxFileSize Size of the largest file, bytes, or null.
 * @throws UploadError `INVALID_REQUEST`, `UNSUPPORTED_MEDIA_TYPE`; `FILE_TOO_LARGE` where the body is
 */
export function readCreation(
  request: ChecksumRequest,
  maxFileSize: number | null,
  concat: UploadConcat | null,
): Creation {
  const { headers } = request
  // "The request MAY include a body"; it is one with this content type only (creation-with-upload).
  if (hasBody(headers) && !isOffsetOctetStream(headers)) throw wrongType('A POST with a body')
  const fileSize = uploadLength(headers) ?? null
  // @tus/server would find that out after the upload was made, and leave it there.
  const most = fileSize ?? maxFileSize
  if (most !== null && (contentLength(headers) ?? 0) > most) {
    throw new UploadError('FILE_TOO_LARGE', {
      message: `The body has more than ${most} bytes, which is all that this upload may have.`,
      details: { max: most },
    })
  }
  return {
    input: {
      ...readFile(headers),
      fileSize,
      partial: concat?.kind === 'partial',
    },
    contentLength: hasBody(headers) ? contentLength(headers) : 0,
    ...declared(request),
  }
}

/**
 * What the headers of a creation say of its file.
 * @throws UploadError `INVALID_REQUEST`
 */
export function readFile(headers: IncomingHttpHeaders) {
  const raw = headers['upload-metadata']
  const concat = headers['upload-concat']
  const file = parseUploadMetadata(typeof raw === 'string' ? raw : undefined)
  if (typeof concat !== 'string') return file
  return { ...file, attributes: { ...file.attributes, [UPLOAD_CONCAT]: concat } }
}

/**
 * Reads the headers of an append.
 * @throws UploadError `INVALID_REQUEST`, `UNSUPPORTED_MEDIA_TYPE`, `FILE_TOO_LARGE`
 */
export function readPatch(request: ChecksumRequest): Patch {
  const { headers } = request
  // "All PATCH requests MUST use Content-Type: application/offset+octet-stream, otherwise the server SHOULD return a 415".
  if (!isOffsetOctetStream(headers)) throw wrongType('A PATCH')
  const offset = wholeNumber(headers, 'Upload-Offset')
  if (offset === undefined) {
    throw new UploadError('INVALID_REQUEST', {
      message: 'A PATCH needs the header Upload-Offset.',
      details: { field: 'Upload-Offset' },
    })
  }
  const declaredSize = uploadLength(headers)
  return {
    offset,
    contentLength: hasBody(headers) ? contentLength(headers) : 0,
    ...(declaredSize === undefined ? {} : { declaredSize }),
    ...declared(request),
  }
}

function declared(request: ChecksumRequest): Pick<Patch, 'checksums'> {
  const checksums = readChecksums(request, [UPLOAD_CHECKSUM, CONTENT_DIGEST])
  return checksums === undefined ? {} : { checksums }
}

function wrongType(what: string): UploadError {
  return new UploadError('UNSUPPORTED_MEDIA_TYPE', {
    message: `${what} must have the Content-Type ${OFFSET_OCTET_STREAM}.`,
  })
}
