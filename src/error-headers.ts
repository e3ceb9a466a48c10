import type { UploadError } from './errors.ts'

/** The headers that HTTP wants beside the status of an error, on either face. */
export function errorHeaders({ code, details }: UploadError): Record<string, string> {
  const allow = details?.['allow']
  if (code === 'METHOD_NOT_ALLOWED' && Array.isArray(allow)) return { Allow: allow.join(', ') }
  const size = details?.['size']
  // "A server generating a 416 response to a byte-range request SHOULD generate a Content-Range header field specifying
  // the current length of the selected representation" (RFC 9110 section 15.5.17).
  if (code === 'RANGE_NOT_SATISFIABLE' && typeof size === 'number') return { 'Content-Range': `bytes */${size}` }
  return {}
}
