import type { IncomingHttpHeaders } from 'node:http'
import { formatHttpDate, parseHttpDate } from './http-date.ts'
import { namesTag, type Validators } from './validators.ts'

/** What a request's conditions come to. */
export type Outcome = 'proceed' | 'not-modified' | 'failed'

/** Evaluates the conditions of a GET or HEAD, in the order of RFC 9110 section 13.2.2. */
export function evaluateConditions(headers: IncomingHttpHeaders, validators: Validators): Outcome {
  if (isFailed(headers, validators)) return 'failed'
  return isNotModified(headers, validators) ? 'not-modified' : 'proceed'
}

function isFailed(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const match = headers['if-match']
  if (match !== undefined) return !namesTag(match, etag, { weak: false })
  const since = dateOf(headers['if-unmodified-since'])
  return since !== null && lastModified > since
}

function isNotModified(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const noneMatch = headers['if-none-match']
  // "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match header field".
  if (noneMatch !== undefined) return namesTag(noneMatch, etag, { weak: true })
  const since = dateOf(headers['if-modified-since'])
  return since !== null && lastModified <= since
}

/**
 * Whether `If-Range` lets the `Range` count: without one it does; a tag must be this very tag, and a strong one; a date
 * must be that of `Last-Modified`. The date is a strong validator here, as a finished file is never written again.
 */
export function allowsRange(
  ifRange: string | readonly string[] | undefined,
  { etag, lastModified }: Validators,
): boolean {
  if (ifRange === undefined) return true
  if (typeof ifRange !== 'string') return false
  const condition = ifRange.trim()
  return condition === etag || dateOf(condition) === Date.parse(formatHttpDate(lastModified))
}

/** A date, or null where there is none: "a recipient MUST ignore" the field "if the received value is not a valid HTTP-date". */
function dateOf(text: string | undefined): number | null {
  return text === undefined ? null : parseHttpDate(text)
}
