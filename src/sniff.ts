import { essenceOf, matchesType } from './media-types.ts'

/** How many of a file's first bytes are looked at: enough for formats that are archives of others. */
export const SNIFFED_BYTES = 64 * 1024

/**
 * Formats that others are made of. That a file is one of these says nothing against a type that is built on it.
 */
const CONTAINERS: Readonly<Record<string, RegExp>> = {
  'application/xml': /[/+]xml$|\/xhtml/,
  'application/zip':
    /\+zip$|zip|java-archive|^application\/vnd\.(?:openxmlformats|oasis|android|ms-|google-earth)|^application\/x-(?:xpinstall|cbz)/,
  'application/x-cfb': /^application\/(?:msword|vnd\.ms-|vnd\.visio|x-msi|vnd\.adobe\.)/,
  'application/gzip': /gzip|tar|^application\/vnd\./,
}

/**
 * What a file is by its first bytes, where that is not among the types allowed; null where it is, or may be. A file of a
 * type that has no mark (`text/plain`) is taken for what it was declared as; one that lacks the mark of its declared type
 * is `unknown`.
 */
export async function foreignType(first: Buffer, declared: string, allowed: readonly string[]): Promise<string | null> {
  // Loaded where it is asked for, and only then.
  const { fileTypeFromBuffer, supportedMimeTypes } = await import('file-type')
  const essence = essenceOf(declared)
  const found = (await fileTypeFromBuffer(first))?.mime
  if (found === undefined) return supportedMimeTypes.has(essence) ? 'unknown' : null
  if (matchesType(allowed, found)) return null
  return CONTAINERS[found]?.test(essence) === true ? null : found
}
