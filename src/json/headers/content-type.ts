import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../../errors.ts'
import { headerText } from './header.ts'

/** The media type without its parameters, in lower case, or undefined where there is none. */
export function mediaType(text: string | undefined): string | undefined {
  const type = text?.split(';', 1)[0]?.trim().toLowerCase()
  return type === '' ? undefined : type
}

/**
 * Wants raw bytes. No type at all is taken as such: "the recipient MAY … assume a media type of
 * application/octet-stream" (RFC 9110 section 8.3).
 * @throws UploadError `UNSUPPORTED_MEDIA_TYPE`
 */
export function wantOctets(headers: IncomingHttpHeaders): void {
  wantPlain(headers)
  const type = mediaType(headerText(headers, 'content-type'))
  if (type !== undefined && type !== 'application/octet-stream') throw unsupported('application/octet-stream')
}

/** Wants JSON. @throws UploadError `UNSUPPORTED_MEDIA_TYPE` */
export function wantJson(headers: IncomingHttpHeaders): void {
  wantPlain(headers)
  if (mediaType(headerText(headers, 'content-type')) !== 'application/json') throw unsupported('application/json')
}

/**
 * Wants a body that is not compressed or otherwise encoded: the bytes that are checked are the bytes that are stored.
 * @throws UploadError `UNSUPPORTED_MEDIA_TYPE`
 */
function wantPlain(headers: IncomingHttpHeaders): void {
  const encoding = headerText(headers, 'content-encoding')?.trim().toLowerCase()
  if (encoding === undefined || encoding === '' || encoding === 'identity') return
  throw new UploadError('UNSUPPORTED_MEDIA_TYPE', {
    message: 'The body must not have a Content-Encoding: send the bytes as they are.',
    details: { field: 'Content-Encoding' },
  })
}

function unsupported(wanted: string): UploadError {
  return new UploadError('UNSUPPORTED_MEDIA_TYPE', {
    message: `The Content-Type must be ${wanted}.`,
    details: { field: 'Content-Type', expected: wanted },
  })
}
