import { setTimeout as delay } from 'node:timers/promises'
import type { Answer, Wire, WireRequest } from './http-wire.ts'

const TUS = { 'Tus-Resumable': '1.0.0' } as const
const API = '/api/v1/uploads'
const FILES = '/files'

/** How the body of a request goes out. */
export type Sending = Omit<WireRequest, 'headers' | 'body'>

/** What a chunk was answered with. */
export interface ChunkAnswer {
  readonly chunkNumber: number
  readonly size: number
  readonly checksum: string
  readonly storageKey: string
  readonly uploadedAt: string
}

/** What initiate answers. */
export interface Initiated {
  readonly id: string
  readonly fileId: string
  readonly chunkSize: number
  readonly totalChunks: number
}

/** What progress answers, as far as the tests look. */
export interface ProgressAnswer {
  readonly fileId: string
  readonly status: string
  readonly totalSize: number
  readonly uploadedBytes: number
  readonly percentComplete: number
  readonly totalChunks: number
  readonly missingChunks: readonly (readonly [number, number])[]
}

/** What complete answers. */
export interface CompleteAnswer {
  readonly id: string
  readonly size: number
  readonly status: string
  readonly checksum: string | null
}

/** An answer that the sender did not expect. */
export class UnexpectedAnswer extends Error {
  readonly answer: Answer

  constructor(what: string, answer: Answer) {
    super(`${what} was answered with ${answer.status} ${answer.body.toString().trim()}`)
    this.answer = answer
  }
}

/** The `data` of a JSON answer. */
function dataOf(what: string, answer: Answer): unknown {
  if (answer.status >= 300) throw new UnexpectedAnswer(what, answer)
  return (JSON.parse(answer.body.toString()) as { readonly data: unknown }).data
}

/** What initiate was answered. @throws UnexpectedAnswer when it is no success */
export function initiated(answer: Answer): Initiated {
  return dataOf('initiate', answer) as Initiated
}

/** What a chunk was answered. @throws UnexpectedAnswer when it is no success */
export function storedChunk(answer: Answer): ChunkAnswer {
  return dataOf('a chunk', answer) as ChunkAnswer
}

/** What progress was answered. @throws UnexpectedAnswer when it is no success */
export function progressIn(answer: Answer): ProgressAnswer {
  return dataOf('progress', answer) as ProgressAnswer
}

/** What complete was answered. @throws UnexpectedAnswer when it is no success */
export function completed(answer: Answer): CompleteAnswer {
  return dataOf('complete', answer) as CompleteAnswer
}

/** The code of a JSON answer that is a failure. */
export function codeOf(answer: Answer): string {
  const { error } = JSON.parse(answer.body.toString()) as { readonly error?: { readonly code: string } }
  return error?.code ?? 'none'
}

/** The `Upload-Offset` of an answer, or null. */
export function offsetIn(answer: Answer): number | null {
  const value = answer.headers['upload-offset']
  return typeof value === 'string' ? Number(value) : null
}

/** The tus face, one method per request. */
export class TusDriver {
  readonly #wire: Pick<Wire, 'send'>

  constructor(wire: Pick<Wire, 'send'>) {
    this.#wire = wire
  }

  /** Begins an upload; with `body`, sends its first bytes in the same request. */
  create(size: number, fileName: string, body?: Buffer, sending: Sending = {}): Promise<Answer> {
    const metadata = `filename ${Buffer.from(fileName).toString('base64')}`
    const type = body === undefined ? {} : { 'Content-Type': 'application/offset+octet-stream' }
    const headers = { ...TUS, 'Upload-Length': String(size), 'Upload-Metadata': metadata, ...type }
    return this.#wire.send('POST', FILES, { ...sending, headers, body: body ?? Buffer.alloc(0) })
  }

  head(id: string): Promise<Answer> {
    return this.#wire.send('HEAD', `${FILES}/${id}`, { headers: TUS })
  }

  patch(id: string, offset: number, body: Buffer, sending: Sending = {}): Promise<Answer> {
    const headers = { ...TUS, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) }
    return this.#wire.send('PATCH', `${FILES}/${id}`, { ...sending, headers, body })
  }
}

/** The upload's id, at the end of a creation's `Location`. @throws UnexpectedAnswer when nothing was created */
export function createdId(answer: Answer): string {
  const id = answer.headers.location?.split('/').at(-1)
  if (answer.status !== 201 || id === undefined) throw new UnexpectedAnswer('the creation', answer)
  return id
}

/** The JSON face, one method per request. */
export class JsonDriver {
  readonly #wire: Pick<Wire, 'send'>

  constructor(wire: Pick<Wire, 'send'>) {
    this.#wire = wire
  }

  initiate(fileSize: number, fileName: string, chunkSize: number): Promise<Answer> {
    const body = Buffer.from(JSON.stringify({ fileName, fileSize, chunkSize }))
    return this.#wire.send('POST', `${API}/initiate`, { headers: { 'Content-Type': 'application/json' }, body })
  }

  putChunk(id: string, number: number, body: Buffer, sending: Sending = {}): Promise<Answer> {
    const headers = { 'Content-Type': 'application/octet-stream', 'X-Chunk-Number': String(number) }
    return this.#wire.send('POST', `${API}/${id}/chunks`, { ...sending, headers, body })
  }

  progress(id: string): Promise<Answer> {
    return this.#wire.send('GET', `${API}/${id}/progress`)
  }

  resume(id: string): Promise<Answer> {
    return this.#wire.send('POST', `${API}/${id}/resume`, { body: Buffer.alloc(0) })
  }

  complete(id: string, sending: Sending = {}): Promise<Answer> {
    return this.#wire.send('POST', `${API}/${id}/complete`, { ...sending, body: Buffer.alloc(0) })
  }
}

/** Asks again while the answer is one of those that say "later", as a client does. */
export async function untilServed(
  ask: () => Promise<Answer>,
  later: readonly number[],
  attempts = 200,
): Promise<Answer> {
  let answer = await ask()
  for (let n = 1; later.includes(answer.status) && n < attempts; n += 1) {
    await delay(25)
    answer = await ask()
  }
  return answer
}
