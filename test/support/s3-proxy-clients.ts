import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { ChunkLog, OffsetLog } from './acknowledged-log.ts'
import { bytesOf, sha256Of } from './byte-source.ts'
import { type Answer, ConnectionLost, type WireRequest } from './http-wire.ts'
import { CHUNK, type Promised, type S3Stage } from './s3-proxy-stage.ts'
import {
  completed,
  createdId,
  initiated,
  offsetIn,
  progressIn,
  storedChunk,
  UnexpectedAnswer,
} from './upload-drivers.ts'

const API = '/api/v1/uploads'
const FILES = '/files'
const TUS = { 'Tus-Resumable': '1.0.0' } as const
const BYTES = { 'Content-Type': 'application/offset+octet-stream' } as const

/** What the file is said to be. */
export const CONTENT_TYPE = 'video/x-holdfast'
const FILE_NAME = 'Überfahrt.mov'

/** Requests that are made again before a client gives up. */
const MOST_RETRIES = 8
/** So soon a client comes again, ms; it is asked to wait a second. */
const PAUSE_MS = 5

/** How a request is to be answered. */
interface Expected {
  /** As it should be. */
  readonly as: readonly number[]
  /** What a client takes for a trouble that passes, and asks again. */
  readonly later: readonly number[]
  /** As it may be, where an earlier one may have done it. @default nothing else */
  readonly again?: readonly number[]
  /** Whether the answer may break off in the middle. */
  readonly mayBreak?: true
}

/** A client of one upload, which goes on after any failure, and remembers what it was promised. */
abstract class S3LifeClient {
  readonly bytes: Buffer
  protected readonly stage: S3Stage
  #id: string | null = null

  constructor(stage: S3Stage, size: number) {
    this.stage = stage
    this.bytes = bytesOf(size + 1, size)
  }

  get id(): string {
    if (this.#id === null) throw new Error('The upload has not been created.')
    return this.#id
  }

  protected set id(id: string) {
    this.#id = id
  }

  protected abstract promised(): Promised

  /** Makes a request again until it is answered as it should be. */
  protected async insist(method: string, path: string, request: WireRequest, expected: Expected): Promise<Answer> {
    for (let retries = 0; ; retries += 1) {
      const answer = await this.ask(method, path, request, expected)
      if (answer !== null && expected.as.includes(answer.status)) return answer
      if (answer !== null && retries > 0 && expected.again?.includes(answer.status) === true) return answer
      if (retries >= MOST_RETRIES) throw new Error(`${method} ${path} fails again and again.`)
      await delay(PAUSE_MS)
    }
  }

  /** Makes a request; null where the answer broke off. @throws UnexpectedAnswer for what is no trouble that passes */
  protected async ask(method: string, path: string, request: WireRequest, expected: Expected): Promise<Answer | null> {
    const { as, later, again = [], mayBreak = false } = expected
    const what = `${method} ${path.replace(this.#id ?? ' ', 'id')}`
    try {
      const answer = await this.stage.wire.send(method, path, request)
      if (as.includes(answer.status)) return answer
      this.stage.troubles.push(`${what}: ${answer.status}`)
      if (![...later, ...again].includes(answer.status)) throw new UnexpectedAnswer(what, answer)
      return answer
    } catch (error) {
      if (!(error instanceof ConnectionLost) || !mayBreak) throw error
      this.stage.troubles.push(`${what}: broken off`)
      return null
    }
  }

  /** A finished file, or a stretch `[start, end)` of it, as anybody downloads it. */
  protected async download(path: string, start: number, end: number): Promise<void> {
    const isWhole = start === 0 && end === this.bytes.length
    const headers = isWhole ? {} : { Range: `bytes=${start}-${end - 1}` }
    const expected = { as: [isWhole ? 200 : 206], later: [423, 503], mayBreak: true } as const
    const answer = await this.insist('GET', path, { headers }, expected)
    expect(answer.body.equals(this.bytes.subarray(start, end)), 'what is downloaded').toBe(true)
    expect(answer.headers['content-type']).toBe(CONTENT_TYPE)
  }
}

/** One over tus. What became of a request that failed it asks with HEAD. */
export class TusLifeClient extends S3LifeClient {
  readonly #log = new OffsetLog('tus')
  /** Null while nobody has said. */
  readonly #length: number | null

  constructor(stage: S3Stage, size: number, { deferred = false } = {}) {
    super(stage, size)
    this.#length = deferred ? null : size
  }

  /** Creates the upload; with `bytes`, sends so many in the same request. */
  async create(bytes = 0): Promise<void> {
    const metadata = { filename: FILE_NAME, filetype: CONTENT_TYPE }
    const pairs = Object.entries(metadata).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    const headers = {
      ...TUS,
      ...(this.#length === null ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': `${this.#length}` }),
      'Upload-Metadata': pairs.join(),
      ...(bytes === 0 ? {} : BYTES),
    }
    const body = this.bytes.subarray(0, bytes)
    const answer = await this.insist('POST', FILES, { headers, body }, { as: [201], later: [423] })
    this.id = createdId(answer)
    const offset = offsetIn(answer)
    if (offset !== null) this.#log.told(offset)
    if (bytes > 0 && offset !== bytes) {
      this.stage.troubles.push(`POST: ${offset} of ${bytes} bytes`)
      if (offset === null) await this.locate()
    }
    await this.stage.look(this.promised())
  }

  /** Sends bytes up to `end`, however many requests it takes. With `length`, says with each how long the file is. */
  async sendTo(end: number, length?: number): Promise<void> {
    const declared = length === undefined ? {} : { 'Upload-Length': `${length}` }
    for (let isDone = false; !isDone; ) {
      const { offset } = this.#log
      const body = this.bytes.subarray(offset, end)
      const headers = { ...TUS, ...BYTES, 'Upload-Offset': `${offset}`, ...declared }
      const answer = await this.ask('PATCH', `${FILES}/${this.id}`, { headers, body }, { as: [204], later: [423] })
      if (answer?.status === 204) {
        expect(offsetIn(answer)).toBe(end)
        this.#log.told(end)
        isDone = true
      } else {
        await delay(PAUSE_MS)
        await this.locate()
        // An empty one that says the length has to be said again.
        isDone = this.#log.offset === end && length === undefined
      }
      await this.stage.look(this.promised())
    }
  }

  /** Asks where it is: something may have failed, or another have brought the upload forward. */
  async locate(): Promise<void> {
    const answer = await this.insist('HEAD', `${FILES}/${this.id}`, { headers: TUS }, { as: [200], later: [423] })
    this.#log.told(offsetIn(answer) ?? -1)
  }

  /** The file is told to be there. */
  async finished(): Promise<void> {
    await this.locate()
    expect(this.#log.offset).toBe(this.bytes.length)
  }

  async remove(): Promise<void> {
    const expected = { as: [204], later: [423], again: [404, 410] }
    await this.insist('DELETE', `${FILES}/${this.id}`, { headers: TUS }, expected)
    const head = await this.insist('HEAD', `${FILES}/${this.id}`, { headers: TUS }, { as: [404, 410], later: [423] })
    expect(head.headers['upload-offset']).toBeUndefined()
  }

  async downloadRange(start: number, end: number): Promise<void> {
    await this.download(`${FILES}/${this.id}`, start, end)
  }

  protected promised(): Promised {
    return { id: this.id, offset: this.#log.offset, chunks: [] }
  }
}

const JSON_LATER = [423, 503] as const

/** One over the JSON face. A chunk that failed is sent again. */
export class JsonLifeClient extends S3LifeClient {
  readonly #log = new ChunkLog('json')
  #fileId = ''

  /** Goes on with what another began. */
  join({ id }: LifeClient): void {
    this.id = id
  }

  /** With `once`, under a key that makes no second upload of a second request. */
  async initiate({ checksum = false, once = false } = {}): Promise<void> {
    const file = { fileName: FILE_NAME, fileSize: this.bytes.length, chunkSize: CHUNK, contentType: CONTENT_TYPE }
    const body = Buffer.from(JSON.stringify({ ...file, ...(checksum ? { checksum: sha256Of(this.bytes) } : {}) }))
    const headers = { 'Content-Type': 'application/json', ...(once ? { 'Idempotency-Key': 'one-life' } : {}) }
    const expected = { as: [201], later: JSON_LATER }
    const { id, fileId } = initiated(await this.insist('POST', `${API}/initiate`, { headers, body }, expected))
    this.id = id
    this.#fileId = fileId
    await this.stage.look(this.promised())
  }

  async put(number: number): Promise<void> {
    const body = this.bytes.subarray(number * CHUNK, (number + 1) * CHUNK)
    const headers = { 'Content-Type': 'application/octet-stream', 'X-Chunk-Number': `${number}` }
    const path = `${API}/${this.id}/chunks`
    const answer = await this.insist('POST', path, { headers, body }, { as: [200], later: JSON_LATER })
    const stored = storedChunk(answer)
    expect(stored).toMatchObject({ chunkNumber: number, size: body.length, checksum: sha256Of(body) })
    // Of a chunk that a node knows from S3 it knows the time from there, too.
    if (!this.#log.durable.has(number)) this.#log.answered(stored)
    await this.stage.look(this.promised())
  }

  /** Says that it goes on; returns the chunks that are missing. */
  async resume(): Promise<number[]> {
    const expected = { as: [200], later: JSON_LATER }
    const answer = await this.insist('POST', `${API}/${this.id}/resume`, { body: Buffer.alloc(0) }, expected)
    return this.#log.toldMissing(progressIn(answer).missingChunks, Math.ceil(this.bytes.length / CHUNK))
  }

  async complete(): Promise<void> {
    const expected = { as: [200], later: JSON_LATER }
    const answer = await this.insist('POST', `${API}/${this.id}/complete`, { body: Buffer.alloc(0) }, expected)
    expect(completed(answer)).toMatchObject({
      status: 'uploaded',
      size: this.bytes.length,
      checksum: sha256Of(this.bytes),
    })
    await this.stage.look(this.promised())
  }

  async cancel(): Promise<void> {
    await this.insist('DELETE', `${API}/${this.id}`, {}, { as: [200], later: JSON_LATER })
    await this.insist('GET', `${API}/${this.id}`, {}, { as: [404, 410], later: JSON_LATER })
  }

  async removeFile(): Promise<void> {
    const path = `/api/v1/files/${this.#fileId}`
    await this.insist('DELETE', path, {}, { as: [200], later: JSON_LATER, again: [404] })
    await this.insist('GET', `${path}/content`, {}, { as: [404], later: JSON_LATER })
  }

  async downloadRange(start: number, end: number): Promise<void> {
    await this.download(`/api/v1/files/${this.#fileId}/content`, start, end)
  }

  protected promised(): Promised {
    return { id: this.id, offset: 0, chunks: this.#log.durable }
  }
}

export type LifeClient = TusLifeClient | JsonLifeClient
