import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../errors.ts'
import type { FaceReply } from '../http.ts'
import type { Download } from '../uploads.ts'
import { parseRange, type ByteRange } from './byte-range.ts'
import { allowsRange, evaluateConditions } from './conditions.ts'
import { fileHeaders, unmodifiedHeaders } from './file-headers.ts'
import { validatorsOf, type Validators } from './validators.ts'

/** What is asked of a file. */
export interface DownloadRequest {
  readonly method: 'GET' | 'HEAD'
  readonly headers: IncomingHttpHeaders
}

/**
 * Answers a GET or HEAD of a finished file: 200, 206 or 304. The body of a GET is a stream with an open file in it: whoever
 * is given the answer sends or destroys it.
 * @throws UploadError `PRECONDITION_FAILED`, `RANGE_NOT_SATISFIABLE` (details.size), `FILE_NOT_FOUND`
 */
export async function downloadReply(download: Download, { method, headers }: DownloadRequest): Promise<FaceReply> {
  const { file, open } = download
  const validators = validatorsOf(file)
  const outcome = evaluateConditions(headers, validators)
  if (outcome === 'failed') throw new UploadError('PRECONDITION_FAILED')
  if (outcome === 'not-modified') return { status: 304, headers: unmodifiedHeaders(validators), body: null }

  const all = { ...fileHeaders(file, validators), 'Content-Length': String(file.size) }
  // "A server MUST ignore a Range header field received with a request method [...] for which range handling is not
  // defined. For this specification, GET is the only method for which range handling is defined" (RFC 9110 section 14.2).
  if (method === 'HEAD') return { status: 200, headers: all, body: null }
  const range = rangeOf(headers, file.size, validators)
  if (range === null) return { status: 200, headers: all, body: await open() }
  const { start, end } = range
  return {
    status: 206,
    headers: {
      ...all,
      'Content-Length': String(end - start),
      'Content-Range': `bytes ${start}-${end - 1}/${file.size}`,
    },
    body: await open(start, end),
  }
}

function rangeOf(headers: IncomingHttpHeaders, size: number, validators: Validators): ByteRange | null {
  if (headers.range === undefined || !allowsRange(headers['if-range'], validators)) return null
  const range = parseRange(headers.range, size)
  if (range !== 'unsatisfiable') return range
  throw new UploadError('RANGE_NOT_SATISFIABLE', {
    message: `This file has ${size} bytes; the range asked for lies outside of them.`,
    details: { size },
  })
}
