import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { setImmediate as turn } from 'node:timers/promises'

/** Request headers by name; undefined leaves out one that would otherwise be sent. */
export type SentHeaders = Readonly<Record<string, string | number | readonly string[] | undefined>>

/** What a request sends. */
export interface Outgoing {
  readonly headers?: SentHeaders
  readonly body?: Uint8Array
  /** Sends the body with chunked transfer coding: its length is not known before its end. */
  readonly chunked?: boolean
  /** Sent after a chunked body. Whether they are announced is the business of the header `Trailer`. */
  readonly trailers?: Readonly<Record<string, string>>
  /** Holds the body back until the server says `100 Continue`; where it answers instead, no body is sent. */
  readonly expectContinue?: boolean
  /** Breaks the connection after so many bytes of the body. There is no answer then. */
  readonly cutAfter?: number
}

/** What a server answered, body read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Whether it said `100 Continue` before. */
  readonly continued: boolean
}

/** More than any check sends, bytes. */
const LARGEST_ANSWER = 64 * 1024 * 1024

/**
 * Sends one request over a connection of its own, exactly as it is told.
 * @throws Error where no answer came
 */
export async function exchange(method: string, url: URL, outgoing: Outgoing, signal: AbortSignal): Promise<Answer> {
  const message = open(method, url, outgoing, signal)
  const answered = answerTo(message)
  // Whichever fails first, the answer decides: a server may answer, and close, before it has read everything.
  const [answer] = await Promise.allSettled([answered, send(message, outgoing)])
  message.destroy()
  if (answer.status === 'fulfilled') return answer.value
  throw answer.reason
}

/** Sends the head of a request and a part of its body, and breaks the connection when the system has taken both. */
export async function cut(method: string, url: URL, outgoing: Outgoing, signal: AbortSignal): Promise<void> {
  const message = open(method, url, outgoing, signal)
  // That it breaks is the point.
  message.on('error', () => {})
  const { body = Buffer.alloc(0), cutAfter = 0 } = outgoing
  await write(message, body.subarray(0, cutAfter))
  // A server that is on the same machine has its turn first.
  for (let turns = 0; turns < 20; turns += 1) await turn()
  message.destroy()
}

function open(method: string, url: URL, { headers = {}, body, chunked, cutAfter }: Outgoing, signal: AbortSignal) {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const message = send(url, { method, agent: false, signal })
  if (chunked !== true && (body !== undefined || cutAfter !== undefined)) {
    message.setHeader('Content-Length', body?.length ?? 0)
  }
  // The server must not close the connection of its own accord while a body is still on its way.
  message.setHeader('Connection', 'keep-alive')
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) message.setHeader(name, typeof value === 'object' ? [...value] : value)
    else message.removeHeader(name)
  }
  if (chunked === true) message.setHeader('Transfer-Encoding', 'chunked')
  return message
}

async function send(message: ClientRequest, { body, chunked, trailers, expectContinue }: Outgoing): Promise<void> {
  if (expectContinue === true) {
    message.flushHeaders()
    if (!(await saysContinue(message))) return
  }
  if (body === undefined) return void message.end()
  if (chunked !== true) return void message.end(body)
  // Two chunks, so that not even the first piece tells how long the whole is.
  const middle = Math.ceil(body.length / 2)
  await write(message, body.subarray(0, middle))
  await write(message, body.subarray(middle))
  if (trailers !== undefined) message.addTrailers(trailers)
  message.end()
}

/** Whether `100 Continue` comes; false where the answer does, or nothing. */
function saysContinue(message: ClientRequest): Promise<boolean> {
  return new Promise((resolve) => {
    message.once('continue', () => resolve(true))
    for (const end of ['response', 'error', 'close']) message.once(end, () => resolve(false))
  })
}

function write(message: ClientRequest, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    message.write(bytes, (error) => (error == null ? resolve() : reject(error)))
  })
}

function answerTo(message: ClientRequest): Promise<Answer> {
  let continued = false
  message.once('continue', () => (continued = true))
  return new Promise((resolve, reject) => {
    const noAnswer = (): void => reject(new Error('the connection was closed without an answer'))
    message.on('error', reject)
    message.once('close', noAnswer)
    message.once('response', (response) => {
      message.off('close', noAnswer)
      read(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, continued })
      }, reject)
    })
  })
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > LARGEST_ANSWER) throw new Error('the answer does not end')
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
