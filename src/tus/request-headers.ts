import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../errors.ts'

/** The media type of every body that is appended. */
export const OFFSET_OCTET_STREAM = 'application/offset+octet-stream'

/** The one version of the protocol that is spoken. */
export const TUS_VERSION = '1.0.0'

/** "If this header is present, the Server MUST interpret its value as the request's method" (core protocol). */
export function effectiveMethod(method: string, headers: IncomingHttpHeaders): string {
  const override = headers['x-http-method-override']
  return (typeof override === 'string' && override !== '' ? override : method).toUpperCase()
}

/** A header's non-negative whole number, or undefined where it is absent. @throws UploadError `INVALID_REQUEST` */
export function wholeNumber(headers: IncomingHttpHeaders, name: string): number | undefined {
  const value = headers[name.toLowerCase()]
  if (value === undefined) return undefined
  const number = Number(value)
  if (typeof value === 'string' && /^\d{1,16}$/.test(value) && Number.isSafeInteger(number)) return number
  throw new UploadError('INVALID_REQUEST', {
    message: `${name} must be a non-negative whole number.`,
    details: { field: name },
  })
}

/**
 * `Upload-Length`, or undefined where it is absent.
 * @throws UploadError `INVALID_REQUEST`; `FILE_TOO_LARGE`: it is a whole number, which no file could have
 */
export function uploadLength(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['upload-length']
  if (typeof value === 'string' && /^\d+$/.test(value) && !Number.isSafeInteger(Number(value))) {
    throw new UploadError('FILE_TOO_LARGE')
  }
  return wholeNumber(headers, 'Upload-Length')
}

/** Whether a request has a body, by its framing. */
export function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Bytes the body says it has, or null. */
export function contentLength(headers: IncomingHttpHeaders): number | null {
  return wholeNumber(headers, 'Content-Length') ?? null
}

/** Whether the content type is the one that bodies must have; parameters do not matter. */
export function isOffsetOctetStream(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() === OFFSET_OCTET_STREAM
}

/**
 * "If the version specified by the Client is not supported by the Server, it MUST respond with the 412 Precondition Failed
 * status and MUST include the Tus-Version header into the response. In addition, the Server MUST NOT process the request."
 * @throws UploadError `TUS_VERSION_MISMATCH`
 */
export function refuseVersion(method: string, headers: IncomingHttpHeaders): void {
  // "The Tus-Resumable header MUST be included in every request and response except for OPTIONS requests."
  if (method === 'OPTIONS' || headers['tus-resumable'] === TUS_VERSION) return
  throw new UploadError('TUS_VERSION_MISMATCH')
}

/**
 * Whether a creation is as most are: a length in its plainest form that is not too large, and nothing that @tus/server would
 * refuse or answer otherwise. The version has been looked at, and what is wrong with the rest has been told.
 */
export function isPlainCreation(headers: IncomingHttpHeaders, maxFileSize: number | null): boolean {
  const length = headers['upload-length']
  if (typeof length !== 'string' || !/^(?:0|[1-9]\d{0,15})$/.test(length)) return false
  if (maxFileSize !== null && Number(length) > maxFileSize) return false
  return headers['upload-defer-length'] === undefined && headers['upload-offset'] === undefined
}

/** Headers that @tus/server reads, as it wants them; those it would misread, or that the core reads itself, stay out. */
const PASSED: readonly string[] = ['content-length', 'tus-resumable', 'upload-defer-length', 'upload-offset']

/** The headers of a request as @tus/server is given them. */
export function headersForTus(method: string, headers: IncomingHttpHeaders): Headers {
  const passed = new Headers()
  for (const name of PASSED) {
    const value = headers[name]
    if (typeof value === 'string') passed.set(name, value)
  }
  // Of a POST it would mean a body, for which there would be four streams to go through: the core takes it as it creates.
  if (method !== 'POST' && isOffsetOctetStream(headers)) passed.set('content-type', OFFSET_OCTET_STREAM)
  const length = headers['upload-length']
  // Of a PATCH the core takes it: a repeated one that declares the same length is no error.
  if (method === 'POST' && typeof length === 'string') passed.set('upload-length', length)
  return passed
}
