import type { IncomingHttpHeaders } from 'node:http'
import { headerText } from './header.ts'

/** Bytes the body says it has, or null where it does not say. Node has refused what is not a number. */
export function parseContentLength(headers: IncomingHttpHeaders): number | null {
  const text = headerText(headers, 'content-length')
  // RFC 9112 section 6.3: Transfer-Encoding overrides Content-Length.
  if (text === undefined || headers['transfer-encoding'] !== undefined) return null
  return Number(text)
}
