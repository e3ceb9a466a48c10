import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../../errors.ts'

/** The one text of a header, or undefined. What Node hands over as a list is joined, as RFC 9110 section 5.3 reads it. */
export function headerText(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** A refusal that names the header, as `details.field` names a field of a body. */
export function invalidHeader(field: string, message: string): UploadError {
  return new UploadError('INVALID_REQUEST', { message, details: { field } })
}
