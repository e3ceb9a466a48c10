import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { UploadError } from '../../src/index.ts'
import { failureReply } from '../../src/json/index.ts'

/**
 * Answers what Node's HTTP parser refuses in the form of the API. There is no request then, and so no path: what a face
 * would say cannot be asked. The connection ends, as nothing on it can be understood any more.
 */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) socket.write(answerTo(error.code))
  // Not at once: the answer goes out first.
  socket.destroySoon()
}

function answerTo(code: string | undefined): string {
  const { status, text } = causeOf(code)
  const failure = failureReply(
    new UploadError(status === 408 ? 'TIMEOUT' : 'INVALID_REQUEST', { message: text }),
    randomUUID(),
  )
  const headers = { ...failure.headers, 'Content-Length': Buffer.byteLength(failure.body), Connection: 'close' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${failure.body}`
}

function causeOf(code: string | undefined): { readonly status: number; readonly text: string } {
  if (code === 'HPE_HEADER_OVERFLOW') return { status: 431, text: 'The headers of the request are too large.' }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, text: 'The request did not come in time.' }
  return { status: 400, text: 'The request is not HTTP.' }
}
