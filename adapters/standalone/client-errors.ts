import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { UploadError } from '../../src/index.ts'
import { failureReply } from '../../src/json/index.ts'
import { corsHeaders, type CorsOptions } from '../cors.ts'

/** What Node's parser says of what it refuses. */
interface ClientError extends Error {
  readonly code?: string
  /** What it was reading. */
  readonly rawPacket?: unknown
}

/**
 * Answers what Node's HTTP parser refuses in the form of the API. There is no request then, and so no path: what a face
 * would say cannot be asked. The connection ends, as nothing on it can be understood any more.
 */
export function createClientErrorHandler(cors: CorsOptions | false): (error: ClientError, socket: Socket) => void {
  return (error, socket) => {
    if (error.code !== 'ECONNRESET' && socket.writable) socket.write(answerTo(error, cors))
    // Not at once: the answer goes out first.
    socket.destroySoon()
  }
}

function answerTo(error: ClientError, cors: CorsOptions | false): string {
  const { status, text } = causeOf(error.code)
  const failure = failureReply(
    new UploadError(status === 408 ? 'TIMEOUT' : 'INVALID_REQUEST', { message: text }),
    randomUUID(),
  )
  const headers = {
    ...failure.headers,
    ...(cors === false ? {} : corsHeaders(cors, { method: 'GET', origin: originIn(error), requestMethod: undefined })),
    'Content-Length': Buffer.byteLength(failure.body),
    Connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${failure.body}`
}

/** The origin that a request named before it could not be read any further, as far as it is at hand. */
function originIn({ rawPacket }: ClientError): string | undefined {
  const head = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : ''
  return /\r\nOrigin: *(\S+)\r\n/i.exec(head)?.[1]
}

function causeOf(code: string | undefined): { readonly status: number; readonly text: string } {
  if (code === 'HPE_HEADER_OVERFLOW') return { status: 431, text: 'The headers of the request are too large.' }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, text: 'The request did not come in time.' }
  return { status: 400, text: 'The request is not HTTP.' }
}
