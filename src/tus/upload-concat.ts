import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../errors.ts'
import type { Upload } from '../upload.ts'

/** The header's name, and the key under which it is kept as the client sent it. */
export const UPLOAD_CONCAT = 'Upload-Concat'

/** What `Upload-Concat` says of a creation. */
export type UploadConcat =
  | { readonly kind: 'partial' }
  | {
      readonly kind: 'final'
      /** Ids of the uploads it is made of, in order. */
      readonly parts: readonly string[]
      /** The list as it was written, without what clients may renew (tokens in queries). */
      readonly spelling: string
    }

/**
 * Reads `Upload-Concat` of a creation; null where there is none. `path`: where the face is mounted.
 *
 * "If the upload is a partial one, the header value MUST be partial. In the case of a final upload, its value MUST be final
 * followed by a semicolon and a space-separated list of partial upload URLs that will be concatenated. The partial uploads
 * URLs MAY be absolute or relative".
 * @throws UploadError `INVALID_REQUEST`
 */
export function readUploadConcat(headers: IncomingHttpHeaders, path: string): UploadConcat | null {
  const value = headers['upload-concat']
  if (value === undefined) return null
  if (value === 'partial') return { kind: 'partial' }
  // Clients were seen that put a space behind the semicolon.
  const urls = typeof value === 'string' && value.startsWith('final;') ? value.slice(6).split(' ').filter(Boolean) : []
  if (urls.length === 0) {
    throw invalid(
      'Upload-Concat must be "partial", or "final;" and the addresses of partial uploads, separated by spaces.',
    )
  }
  const spelling = urls.map((url) => url.replace(/[?#].*$/, '')).join(' ')
  return { kind: 'final', parts: urls.map((url, index) => partOf(url, index, path)), spelling }
}

/**
 * The id that an address names. Its host is not looked at, nor what stands before the mount's path: a client knows the
 * server by whatever name its proxies give it. A query (a token) may follow.
 */
function partOf(url: string, index: number, path: string): string {
  const base = `http://holdfast.invalid${path}/`
  const pathname = URL.canParse(url, base) ? new URL(url, base).pathname.replace(/\/$/, '') : ''
  const slash = pathname.lastIndexOf('/')
  const id = decoded(pathname.slice(slash + 1))
  if (id !== null && id !== '' && pathname.slice(0, slash).endsWith(path)) return id
  throw invalid(`Address ${index + 1} in Upload-Concat is none of an upload of this server.`)
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}

/** The header as the client sent it at the creation, or null. */
export function uploadConcatOf({ manifest }: Upload): string | null {
  return manifest.attributes[UPLOAD_CONCAT] ?? null
}

function invalid(message: string): UploadError {
  return new UploadError('INVALID_REQUEST', { message, details: { field: UPLOAD_CONCAT } })
}
