import { expect } from 'vitest'
import { ChunkLog } from '../../../support/acknowledged-log.ts'
import { sha256Of } from '../../../support/byte-source.ts'
import type { Answer } from '../../../support/http-wire.ts'
import { codeOf, initiated, storedChunk, UnexpectedAnswer } from '../../../support/upload-drivers.ts'
import { CampaignClient, type ClientPlace, LATER } from './campaign-client.ts'
import type { Existing } from './tus-upload.ts'

export interface JsonUploadOptions {
  /** The upload, where another client is at it too. @default a new one */
  readonly existing?: Existing & { readonly chunkSize: number }
  /** Which of several clients this is. @default 0 */
  readonly stream?: number
}

/** One upload over the JSON face: chunks in any order, several at a time, some of them again. */
export class JsonUpload extends CampaignClient {
  readonly bytes: Buffer
  readonly #intent: 'file' | 'cancel' | 'abandon'
  readonly #log: ChunkLog
  readonly #isAlone: boolean
  readonly #parallel: number
  #chunkSize: number
  #id: string | null

  constructor(place: ClientPlace, { existing, stream }: JsonUploadOptions = {}) {
    super('json', place, stream)
    this.bytes = existing?.bytes ?? this.drawBytes(this.drawSize())
    this.#isAlone = existing === undefined
    this.#id = existing?.id ?? null
    this.#intent = this.#isAlone ? this.random.pick(['file', 'file', 'file', 'file', 'cancel', 'abandon']) : 'file'
    this.#parallel = this.random.int(1, 4)
    this.#chunkSize = existing?.chunkSize ?? this.random.pick(place.traits.grids)
    this.#log = new ChunkLog(this.name)
  }

  get isPartlyAcknowledged(): boolean {
    return this.#log.durable.size > 0 && this.#log.durable.size < this.#count
  }

  get #count(): number {
    return Math.ceil(this.bytes.length / this.#chunkSize)
  }

  async run(): Promise<void> {
    const id = (this.#id ??= await this.patiently(() => this.#create(), LATER.json))
    this.begins(id)
    if (this.random.chance(0.05)) await this.#completeTooEarly(id)
    const all = this.random.shuffle(Array.from({ length: this.#count }, (_, number) => number))
    const queue = this.#intent === 'file' ? all : all.slice(0, this.random.int(0, all.length - 1))
    const worker = async (): Promise<void> => {
      for (let number = queue.pop(); number !== undefined; number = queue.pop()) await this.#put(id, number)
    }
    // All of them: what was answered is still to be looked at.
    const ends = await Promise.allSettled(Array.from({ length: this.#parallel }, worker))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    if (this.#intent === 'cancel') return this.cancel(id)
    if (this.#intent === 'abandon') return this.abandon(id)
    const { missingChunks } = await this.progress(id)
    expect(this.#log.toldMissing(missingChunks, this.#count), `${this.name}: all is sent`).toEqual([])
    await this.complete(id, this.bytes)
  }

  async #create(): Promise<string> {
    const answer = await this.json('initiate').initiate(this.bytes.length, this.name, this.#chunkSize)
    const { id, fileId, chunkSize } = initiated(answer)
    this.#chunkSize = chunkSize
    this.isKnownAs(fileId)
    return id
  }

  async #completeTooEarly(id: string): Promise<void> {
    if (this.#count === 0 || !this.#isAlone) return
    await this.patiently(async () => {
      const answer = await this.json('complete').complete(id)
      if (answer.status !== 409) throw new UnexpectedAnswer('complete with chunks missing', answer)
      expect(codeOf(answer)).toBe('CHUNKS_MISSING')
    }, LATER.json)
  }

  async #put(id: string, number: number): Promise<void> {
    if (this.random.chance(0.06)) await this.#putWrong(id, number)
    await this.#putRight(id, number)
    // A forgetful client.
    if (this.random.chance(0.08)) await this.#putRight(id, number)
    if (this.random.chance(0.06)) await this.#putOther(id, number)
  }

  async #putRight(id: string, number: number): Promise<void> {
    const chunk = this.#chunk(number)
    const checksum = this.random.chance(0.4) ? { 'X-Chunk-Checksum': sha256Of(chunk) } : {}
    const stored = await this.patiently(async () => {
      const answer = await this.#send(id, number, chunk, checksum)
      // Of several clients one may come too late, with bytes that are there by now: then the same is answered with 200.
      if (!this.#isAlone && answer.status === 409 && codeOf(answer) === 'UPLOAD_COMPLETED')
        throw new UnexpectedAnswer('a chunk', { ...answer, status: 423 })
      return storedChunk(answer)
    }, LATER.json)
    expect(stored, this.name).toMatchObject({ chunkNumber: number, size: chunk.length, checksum: sha256Of(chunk) })
    // What state forgets, S3 tells to the second.
    const { hasS3 } = this.place.traits
    this.#log.answered(hasS3 ? { ...stored, uploadedAt: '' } : stored)
  }

  /** Damaged on the way: nothing of it may be kept. */
  async #putWrong(id: string, number: number): Promise<void> {
    const chunk = this.#chunk(number)
    const checksum = { 'X-Chunk-Checksum': sha256Of(Buffer.concat([chunk, Buffer.from('more')])) }
    await this.patiently(async () => {
      const answer = await this.#send(id, number, chunk, checksum)
      if (answer.status !== 422) throw new UnexpectedAnswer('a chunk with a wrong checksum', answer)
    }, LATER.json)
  }

  /** Other bytes for a chunk that stands. */
  async #putOther(id: string, number: number): Promise<void> {
    const other = Buffer.from(this.#chunk(number))
    other[0] = (other[0] ?? 0) ^ 0xff
    await this.patiently(async () => {
      const answer = await this.#send(id, number, other, {})
      if (answer.status !== 409 || codeOf(answer) !== 'CHUNK_CONFLICT')
        throw new UnexpectedAnswer('other bytes for a stored chunk', answer)
    }, LATER.json)
  }

  #send(id: string, number: number, body: Buffer, more: Readonly<Record<string, string>>): Promise<Answer> {
    const headers = { 'Content-Type': 'application/octet-stream', 'X-Chunk-Number': String(number), ...more }
    return this.send('chunk', 'POST', `/api/v1/uploads/${id}/chunks`, { ...this.sending(body.length), headers, body })
  }

  #chunk(number: number): Buffer {
    return this.bytes.subarray(number * this.#chunkSize, (number + 1) * this.#chunkSize)
  }
}
