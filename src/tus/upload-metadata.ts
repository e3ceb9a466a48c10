import { Metadata } from '@tus/utils'
import { type CreateInput, isMediaType } from '../create-input.ts'
import { UploadError } from '../errors.ts'
import type { Json, Upload } from '../upload.ts'

/** The key under which the header is kept as the client sent it. */
const RAW = 'Upload-Metadata'

/** The name of a file whose client gave none. */
const UNNAMED = 'unnamed'

const NAME_KEYS = ['filename', 'name'] as const
const TYPE_KEYS = ['filetype', 'type'] as const

/**
 * Reads `Upload-Metadata`: `filename`/`name` and `filetype`/`type` are the file's name and content type, every other key
 * is metadata.
 * @throws UploadError `INVALID_REQUEST`
 */
export function parseUploadMetadata(
  header: string | undefined,
): Pick<CreateInput, 'fileName' | 'contentType' | 'metadata' | 'attributes'> {
  if (header === undefined) return { fileName: UNNAMED }
  const pairs = parsePairs(header)
  const type = first(pairs, TYPE_KEYS)
  const metadata: Record<string, Json> = {}
  for (const [key, value] of Object.entries(pairs)) if (!isReserved(key)) metadata[key] = value
  return {
    fileName: first(pairs, NAME_KEYS) ?? UNNAMED,
    // A type is the client's guess: one that is not well-formed must not stop the upload.
    ...(type !== null && isMediaType(type) ? { contentType: type } : {}),
    metadata,
    attributes: { [RAW]: header },
  }
}

/**
 * Writes `Upload-Metadata`: as the client specified it at creation, or for an upload that another face created from what
 * that said. Null where there is nothing to say.
 */
export function formatUploadMetadata(upload: Upload): string | null {
  const { attributes, fileName, contentType, metadata } = upload.manifest
  const raw = attributes[RAW]
  if (raw !== undefined) return raw
  const pairs: Record<string, string> = { filename: fileName, filetype: contentType }
  for (const [key, value] of Object.entries(metadata)) {
    if (isKey(key) && !isReserved(key)) pairs[key] = typeof value === 'string' ? value : JSON.stringify(value)
  }
  return Metadata.stringify(pairs)
}

function parsePairs(header: string): Record<string, string | null> {
  try {
    return Metadata.parse(header)
  } catch (cause) {
    throw new UploadError('INVALID_REQUEST', {
      message:
        'Upload-Metadata is not valid: it is comma-separated pairs of an ASCII key and a Base64 value, the two separated by one space, every key once.',
      details: { field: 'Upload-Metadata' },
      cause,
    })
  }
}

function first(pairs: Record<string, string | null>, keys: readonly string[]): string | null {
  for (const key of keys) {
    const value = pairs[key]
    if (typeof value === 'string' && value !== '') return value
  }
  return null
}

function isReserved(key: string): boolean {
  return [...NAME_KEYS, ...TYPE_KEYS].some((reserved) => reserved === key)
}

/** "The key MUST NOT contain spaces and commas and MUST NOT be empty. The key SHOULD be ASCII encoded". */
function isKey(key: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(key)
}
