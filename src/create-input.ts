import { UploadError } from './errors.ts'
import type { Json } from './upload.ts'

/** What a client says of the file it is about to send. */
export interface CreateInput {
  /** A name, never a path; 1 to 255 bytes of UTF-8. */
  readonly fileName: string
  /** Bytes, 0 to 2^53 − 1, or null where the length is deferred. */
  readonly fileSize: number | null
  /** @default 'application/octet-stream' */
  readonly contentType?: string
  /** @default {} */
  readonly metadata?: { readonly [key: string]: Json }
  /** Bytes of a chunk. @default the server's */
  readonly chunkSize?: number
  /** SHA-256 (hex) the whole file must have. */
  readonly checksum?: string
  /** What a face wants back as it came. */
  readonly attributes?: { readonly [key: string]: string }
}

/** The most bytes of `metadata`, as JSON. */
const MAX_METADATA_BYTES = 8 * 1024
/** The most bytes of a file's name. */
const MAX_NAME_BYTES = 255
/** The type of a file whose type nobody named. */
export const DEFAULT_CONTENT_TYPE = 'application/octet-stream'

/** RFC 9110 section 8.3.1: type "/" subtype, with parameters. */
const MEDIA_TYPE =
  /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:[ \t]*;[ \t]*[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"(?:[\t !#-[\]-~]|\\[\t -~])*"))*$/

/** Whether a text is a well-formed media type of a bearable length. */
export function isMediaType(text: string): boolean {
  return text.length <= 255 && MEDIA_TYPE.test(text)
}

/** Says what is wrong with a file's name, or null. */
function fileNameFault(name: string): string | null {
  if (name === '') return 'fileName must not be empty.'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `fileName must have at most ${MAX_NAME_BYTES} bytes.`
  if (!name.isWellFormed()) return 'fileName must be well-formed Unicode.'
  if (/[/\\]/.test(name) || name === '.' || name === '..') return 'fileName must be a name, not a path.'
  if (/\p{Cc}/u.test(name)) return 'fileName must not hold control characters.'
  return null
}

/**
 * Checks the body of an initiate, field by field; nothing is coerced.
 * @throws UploadError `INVALID_REQUEST`, its details naming the field
 */
export function parseCreateInput(body: unknown): CreateInput {
  if (!isObject(body)) throw invalid('body', 'The body must be a JSON object.')
  const { fileName, fileSize, contentType, metadata, chunkSize, checksum } = body
  if (typeof fileName !== 'string') throw invalid('fileName', 'fileName must be a string.')
  if (typeof fileSize !== 'number') throw invalid('fileSize', 'fileSize must be a number: the bytes of the file.')
  if (contentType !== undefined && typeof contentType !== 'string') {
    throw invalid('contentType', 'contentType must be a string.')
  }
  if (metadata !== undefined && !isObject(metadata)) throw invalid('metadata', 'metadata must be a JSON object.')
  if (chunkSize !== undefined && typeof chunkSize !== 'number') {
    throw invalid('chunkSize', 'chunkSize must be a whole number of bytes.')
  }
  if (checksum !== undefined && typeof checksum !== 'string') {
    throw invalid('checksum', 'checksum must be a string: the SHA-256 of the whole file in hex.')
  }
  return checkCreateInput({
    fileName,
    fileSize,
    ...(contentType === undefined || contentType === '' ? {} : { contentType }),
    ...(metadata === undefined ? {} : { metadata: metadata as { [key: string]: Json } }),
    ...(chunkSize === undefined ? {} : { chunkSize }),
    ...(checksum === undefined ? {} : { checksum: checksum.toLowerCase() }),
  })
}

/**
 * Checks what every face must keep to.
 * @throws UploadError `INVALID_REQUEST`, its details naming the field
 */
export function checkCreateInput(input: CreateInput): CreateInput {
  const nameFault = fileNameFault(input.fileName)
  if (nameFault !== null) throw invalid('fileName', nameFault)
  if (input.fileSize !== null && (!Number.isSafeInteger(input.fileSize) || input.fileSize < 0)) {
    throw invalid('fileSize', 'fileSize must be a whole number of bytes from 0 to 2^53 - 1.')
  }
  if (input.contentType !== undefined && !isMediaType(input.contentType)) {
    throw invalid('contentType', 'contentType must be a media type such as image/png.')
  }
  if (input.metadata !== undefined && !(jsonBytes(input.metadata) <= MAX_METADATA_BYTES)) {
    throw invalid('metadata', `metadata must have at most ${MAX_METADATA_BYTES} bytes as JSON.`)
  }
  if (input.checksum !== undefined && !/^[0-9a-f]{64}$/.test(input.checksum)) {
    throw invalid('checksum', 'checksum must be the SHA-256 of the whole file: 64 hexadecimal digits.')
  }
  return input
}

/** Bytes of a value as JSON; Infinity where it is nested too deeply for that. */
function jsonBytes(value: { readonly [key: string]: Json }): number {
  try {
    return Buffer.byteLength(JSON.stringify(value))
  } catch {
    return Infinity
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(field: string, message: string): UploadError {
  return new UploadError('INVALID_REQUEST', { message, details: { field } })
}
