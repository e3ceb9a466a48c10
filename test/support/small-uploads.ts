import { expect } from 'vitest'
import { ChunkLog, OffsetLog } from './acknowledged-log.ts'
import { bytesOf, Random, sha256Of } from './byte-source.ts'
import type { Answer, Wire } from './http-wire.ts'
import {
  completed,
  createdId,
  initiated,
  JsonDriver,
  offsetIn,
  type ProgressAnswer,
  progressIn,
  storedChunk,
  TusDriver,
  UnexpectedAnswer,
} from './upload-drivers.ts'

/** What is uploaded. */
export interface SmallFile {
  readonly seed: number
  /** Bytes. */
  readonly size: number
  /** The server's, or that which is asked for. Bytes. */
  readonly chunkSize: number
}

/** A client that makes one request per step and remembers what it was promised, whatever goes wrong. */
export abstract class SmallUpload {
  readonly bytes: Buffer
  readonly file: SmallFile
  #id: string | null = null

  constructor(file: SmallFile) {
    this.file = file
    this.bytes = bytesOf(file.seed, file.size)
  }

  /** @throws Error before it is created */
  get id(): string {
    if (this.#id === null) throw new Error('The upload has not been created.')
    return this.#id
  }

  /** Whether all of it was acknowledged. */
  abstract readonly isSent: boolean
  /** Bytes that were acknowledged. */
  abstract readonly acknowledged: number
  /** Chunks that were acknowledged, by any answer; and the end of the unbroken run. */
  abstract kept(): { readonly offset: number; readonly chunks: readonly number[] }
  /** Makes one request that brings the upload forward. @throws UnexpectedAnswer when it does not */
  abstract step(wire: Wire): Promise<void>
  protected abstract create(wire: Wire): Promise<string>

  async begin(wire: Wire): Promise<void> {
    this.#id = await this.create(wire)
  }

  /** Asks the server how far it is, and compares that with what was acknowledged. */
  async check(wire: Wire): Promise<ProgressAnswer> {
    const progress = progressIn(await new JsonDriver(wire).progress(this.id))
    expect(progress.uploadedBytes, 'acknowledged bytes are gone').toBeGreaterThanOrEqual(this.acknowledged)
    return progress
  }

  /** Completes it over the JSON face, and checks what is said of the file. Returns the file's id. */
  async complete(wire: Wire): Promise<string> {
    const done = completed(await new JsonDriver(wire).complete(this.id))
    expect(done).toMatchObject({ size: this.file.size, status: 'uploaded', checksum: sha256Of(this.bytes) })
    return done.id
  }
}

/** One over tus, in appends that end anywhere. */
export class SmallTusUpload extends SmallUpload {
  readonly #log = new OffsetLog('tus')
  readonly #random: Random
  #unsure = false

  constructor(file: SmallFile) {
    super(file)
    this.#random = new Random(file.seed, 7)
  }

  get isSent(): boolean {
    return this.#log.offset === this.file.size && !this.#unsure
  }

  get acknowledged(): number {
    return this.#log.offset
  }

  kept(): { readonly offset: number; readonly chunks: readonly number[] } {
    return { offset: this.#log.offset, chunks: [] }
  }

  async step(wire: Wire): Promise<void> {
    const tus = new TusDriver(wire)
    // What became of a request that failed only a HEAD tells.
    if (this.#unsure) await this.#ask(tus)
    else await this.#append(tus)
  }

  /** Lets the next step ask where the upload is, as after a request that failed. */
  askAgain(): void {
    this.#unsure = true
  }

  protected async create(wire: Wire): Promise<string> {
    return createdId(await new TusDriver(wire).create(this.file.size, 'a.bin'))
  }

  async #ask(tus: TusDriver): Promise<void> {
    const answer = await tus.head(this.id)
    if (answer.status !== 200) throw new UnexpectedAnswer('HEAD', answer)
    this.#log.told(offsetIn(answer) ?? -1)
    this.#unsure = false
  }

  async #append(tus: TusDriver): Promise<void> {
    const { chunkSize, size } = this.file
    const from = this.#log.offset
    const length = this.#random.int(Math.ceil(chunkSize / 3), chunkSize * 2)
    const body = this.bytes.subarray(from, Math.min(size, from + length))
    this.#log.sending(from)
    this.#unsure = true
    const answer = await tus.patch(this.id, from, body)
    if (answer.status !== 204) throw new UnexpectedAnswer('PATCH', answer)
    expect(offsetIn(answer)).toBe(from + body.length)
    this.#log.told(from + body.length)
    this.#unsure = false
  }
}

/** One over the JSON face, chunk by chunk in any order. */
export class SmallJsonUpload extends SmallUpload {
  readonly #log = new ChunkLog('json')
  readonly #queue: number[]

  constructor(file: SmallFile) {
    super(file)
    const count = Math.ceil(file.size / file.chunkSize)
    this.#queue = new Random(file.seed, 8).shuffle(Array.from({ length: count }, (_, number) => number))
  }

  get isSent(): boolean {
    return this.#queue.length === 0
  }

  get acknowledged(): number {
    return [...this.#log.durable].reduce((sum, number) => sum + this.#chunk(number).length, 0)
  }

  kept(): { readonly offset: number; readonly chunks: readonly number[] } {
    return { offset: 0, chunks: [...this.#log.durable] }
  }

  async step(wire: Wire): Promise<void> {
    const number = this.#queue[0]
    if (number === undefined) return
    const chunk = this.#chunk(number)
    const answer: Answer = await new JsonDriver(wire).putChunk(this.id, number, chunk)
    const stored = storedChunk(answer)
    expect(stored).toMatchObject({ chunkNumber: number, size: chunk.length, checksum: sha256Of(chunk) })
    this.#log.answered(stored)
    this.#queue.shift()
  }

  override async check(wire: Wire): Promise<ProgressAnswer> {
    const progress = await super.check(wire)
    this.#log.toldMissing(progress.missingChunks, progress.totalChunks)
    return progress
  }

  protected async create(wire: Wire): Promise<string> {
    const { size, chunkSize } = this.file
    return initiated(await new JsonDriver(wire).initiate(size, 'a.bin', chunkSize)).id
  }

  #chunk(number: number): Buffer {
    const { chunkSize } = this.file
    return this.bytes.subarray(number * chunkSize, (number + 1) * chunkSize)
  }
}

export const SMALL_UPLOADS = [
  ['tus', SmallTusUpload],
  ['JSON', SmallJsonUpload],
] as const
