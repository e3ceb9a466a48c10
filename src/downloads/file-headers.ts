import { contentDisposition } from '../content-disposition.ts'
import type { FileRecord } from '../files.ts'
import { formatHttpDate } from './http-date.ts'
import type { Validators } from './validators.ts'

/**
 * `private`, because who may download is decided anew for each request, and no shared cache asks. `no-cache`, because a
 * file can be deleted, and a right taken back: a browser may keep the bytes, and asks each time, which costs a 304.
 * `no-transform`, because ranges and digests are of exactly these bytes.
 */
const CACHE_CONTROL = 'private, no-cache, no-transform'

/** Headers of an answer that tells nothing but that the client has the file. */
export function unmodifiedHeaders({ etag }: Validators): Record<string, string> {
  return { 'Cache-Control': CACHE_CONTROL, ETag: etag }
}

/** Headers of every answer that sends a file, whole or in part. */
export function fileHeaders(file: FileRecord, { etag, lastModified }: Validators): Record<string, string> {
  return {
    'Accept-Ranges': 'bytes',
    'Cache-Control': CACHE_CONTROL,
    'Content-Disposition': contentDisposition(file.name),
    // What a stranger uploaded must never run as this origin's.
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Content-Type': file.contentType,
    ETag: etag,
    'Last-Modified': formatHttpDate(lastModified),
    'X-Content-Type-Options': 'nosniff',
    ...(file.checksum === null ? {} : { 'Repr-Digest': reprDigest(file.checksum) }),
  }
}

/** RFC 9530 section 3. It is of the whole file, also in an answer that sends a part: that is what tells it from Content-Digest. */
export function reprDigest(sha256Hex: string): string {
  return `sha-256=:${Buffer.from(sha256Hex, 'hex').toString('base64')}:`
}
