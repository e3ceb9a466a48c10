import { Check } from 'typebox/schema'
import { CreateBody, MAX_METADATA_BYTES, MAX_NAME_BYTES } from './create-body.ts'
import { UploadError } from './errors.ts'
import type { Json } from './upload.ts'

export { DEFAULT_CONTENT_TYPE } from './create-body.ts'

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
  /** Whether it is to be a part of files to come, and no file itself. @default false */
  readonly partial?: boolean
  /** What a face wants back as it came. */
  readonly attributes?: { readonly [key: string]: string }
}

const FIELDS = CreateBody.properties

/** A field of the body. */
type Field = keyof CreateBody

/** What is asked of a field, for who sent something else. A file's name has more to say: see {@link fileNameFault}. */
const WANTED = {
  fileName: 'fileName must be a string.',
  fileSize: 'fileSize must be a whole number of bytes from 0 to 2^53 - 1.',
  contentType: 'contentType must be a media type such as image/png.',
  metadata: 'metadata must be a JSON object.',
  chunkSize: 'chunkSize must be a whole number of bytes.',
  checksum: 'checksum must be the SHA-256 of the whole file: 64 hexadecimal digits.',
} as const satisfies Record<Field, string>

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
 * Checks the body of an initiate by its schema, field by field; nothing is coerced.
 * @throws UploadError `INVALID_REQUEST`, its details naming the field
 */
export function parseCreateInput(body: unknown): CreateInput {
  if (!isObject(body)) throw invalid('body', 'The body must be a JSON object.')
  const wrong = Object.keys(WANTED).find((field) => !fits(field as Field, body[field]))
  if (wrong !== undefined) throw refused(wrong as Field, body[wrong])
  const { fileName, fileSize, contentType, metadata, chunkSize, checksum } = body as CreateBody
  return checkCreateInput({
    fileName,
    fileSize,
    ...(contentType === undefined || contentType === '' ? {} : { contentType }),
    // It came out of JSON.
    ...(metadata === undefined ? {} : { metadata: metadata as { [key: string]: Json } }),
    ...(chunkSize === undefined ? {} : { chunkSize }),
    ...(checksum === undefined ? {} : { checksum: checksum.toLowerCase() }),
  })
}

/** Whether a value is one the schema has for the field; an optional field may be absent. */
function fits(field: Field, value: unknown): boolean {
  return value === undefined ? !CreateBody.required.some((name) => name === field) : Check(FIELDS[field], value)
}

/**
 * Checks what every face must keep to.
 * @throws UploadError `INVALID_REQUEST`, its details naming the field
 */
export function checkCreateInput(input: CreateInput): CreateInput {
  const { fileName, fileSize, contentType, metadata, checksum } = input
  if (fileNameFault(fileName) !== null) throw refused('fileName', fileName)
  if (fileSize !== null && !Check(FIELDS.fileSize, fileSize)) throw refused('fileSize')
  if (contentType !== undefined && !isMediaType(contentType)) throw refused('contentType')
  if (metadata !== undefined && !(jsonBytes(metadata) <= MAX_METADATA_BYTES)) {
    throw invalid('metadata', `metadata must have at most ${MAX_METADATA_BYTES} bytes as JSON.`)
  }
  if (checksum !== undefined && !Check(FIELDS.checksum, checksum)) throw refused('checksum')
  return input
}

function refused(field: Field, value?: unknown): UploadError {
  const fault = field === 'fileName' && typeof value === 'string' ? fileNameFault(value) : null
  return invalid(field, fault ?? WANTED[field])
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
