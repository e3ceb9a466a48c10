import type { IncomingMessage } from 'node:http'
import { UploadError } from '../errors.ts'
import type { Checksum, DeclaredChecksums } from './body-checksum.ts'
import { parseContentDigest } from './content-digest.ts'
import { parseUploadChecksum } from './upload-checksum.ts'

/** A field that declares checksums of a body, as a header or as a trailer. */
export interface ChecksumField {
  readonly name: string
  /** @throws UploadError `INVALID_REQUEST` */
  readonly parse: (text: string) => readonly Checksum[]
}

/** Of tus 1.0.0. */
export const UPLOAD_CHECKSUM: ChecksumField = { name: 'Upload-Checksum', parse: parseUploadChecksum }
/** Of RFC 9530. */
export const CONTENT_DIGEST: ChecksumField = { name: 'Content-Digest', parse: parseContentDigest }

/** What is read of a request. */
export type ChecksumRequest = Pick<IncomingMessage, 'headers' | 'trailers'>

/**
 * The checksums that a request declares in these fields, in its headers and in the trailers it announces, or undefined
 * where it declares none. All of them count, also those of one field in both places.
 * @throws UploadError `INVALID_REQUEST`
 */
export function readChecksums(
  request: ChecksumRequest,
  fields: readonly ChecksumField[],
): DeclaredChecksums | undefined {
  const { headers } = request
  const before = fields.flatMap((field) => parse(field, headers[field.name.toLowerCase()]) ?? [])
  const announced = fields.filter(({ name }) => announces(headers.trailer, name))
  if (before.length === 0 && announced.length === 0) return undefined
  for (const { name } of announced) {
    // "[Trailers] MUST be announced using the Trailer header and are only allowed in chunked transfers" (tus 1.0.0).
    if (headers['transfer-encoding'] !== undefined) continue
    throw invalid(name, `Trailer announces ${name}, and only a body with Transfer-Encoding: chunked can bring one.`)
  }
  return { before, after: announced.length === 0 ? null : () => announced.flatMap((field) => trailing(request, field)) }
}

function trailing({ trailers }: ChecksumRequest, field: ChecksumField): readonly Checksum[] {
  const checksums = parse(field, trailers[field.name.toLowerCase()])
  if (checksums !== undefined) return checksums
  throw invalid(
    field.name,
    `Trailer announces ${field.name}, and none came after the body. Nothing was kept; send it again.`,
  )
}

function parse({ parse }: ChecksumField, value: string | string[] | undefined): readonly Checksum[] | undefined {
  // What comes more than once is one list (RFC 9110 section 5.3), whatever Node makes of it.
  return value === undefined ? undefined : parse(Array.isArray(value) ? value.join(', ') : value)
}

/** Whether `Trailer` has the name: "Trailer = #field-name" (RFC 9110 section 6.6.2). */
function announces(trailer: string | undefined, name: string): boolean {
  return trailer?.split(',').some((one) => one.trim().toLowerCase() === name.toLowerCase()) ?? false
}

function invalid(field: string, message: string): UploadError {
  return new UploadError('INVALID_REQUEST', { message, details: { field } })
}
