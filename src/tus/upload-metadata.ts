import { type CreateInput, isMediaType } from '../create-input.ts'
import { UploadError } from '../errors.ts'
import type { Upload } from '../upload.ts'

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
  sent: string | undefined,
): Pick<CreateInput, 'fileName' | 'contentType' | 'metadata' | 'attributes'> {
  if (sent === undefined) return { fileName: UNNAMED, attributes: { [RAW]: '' } }
  // HTTP allows white space behind the commas of a list, and whatever joins two headers of one name puts it there.
  const header = sent.replace(/,[ \t]+/g, ',')
  const pairs = parsePairs(header)
  const type = first(pairs, TYPE_KEYS)
  return {
    fileName: first(pairs, NAME_KEYS) ?? UNNAMED,
    // A type is the client's guess: one that is not well-formed must not stop the upload.
    ...(type !== null && isMediaType(type) ? { contentType: type } : {}),
    // Not by assignment, which does something else for the key `__proto__`.
    metadata: Object.fromEntries([...pairs].filter(([key]) => !isReserved(key))),
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
  if (raw !== undefined) return raw === '' ? null : raw
  const pairs: [key: string, value: string][] = [
    ['filename', fileName],
    ['filetype', contentType],
  ]
  for (const [key, value] of Object.entries(metadata)) {
    if (isKey(key) && !isReserved(key)) pairs.push([key, typeof value === 'string' ? value : JSON.stringify(value)])
  }
  return pairs.map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`).join(',')
}

/**
 * "The Upload-Metadata request and response header MUST consist of one or more comma-separated key-value pairs. The key
 * and value MUST be separated by a space. [...] All keys MUST be unique. The value MAY be empty. In these cases, the space,
 * which would normally separate the key and the value, MAY be left out."
 *
 * (The parser of @tus/utils refuses keys that every object has, such as `constructor`.)
 */
function parsePairs(header: string): Map<string, string | null> {
  const pairs = new Map<string, string | null>()
  for (const pair of header.split(',')) {
    const [key = '', value = '', ...rest] = pair.split(' ')
    if (!isKey(key) || !isBase64(value) || rest.length > 0 || pairs.has(key)) {
      throw new UploadError('INVALID_REQUEST', {
        message:
          'Upload-Metadata is not valid: it is comma-separated pairs of an ASCII key and a Base64 value, the two separated by one space, every key once.',
        details: { field: 'Upload-Metadata' },
      })
    }
    pairs.set(key, value === '' ? null : Buffer.from(value, 'base64').toString())
  }
  return pairs
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[\dA-Za-z+/]*={0,2}$/.test(text)
}

function first(pairs: ReadonlyMap<string, string | null>, keys: readonly string[]): string | null {
  for (const key of keys) {
    const value = pairs.get(key)
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
