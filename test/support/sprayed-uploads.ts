import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { ChunkLog, OffsetLog } from './acknowledged-log.ts'
import { bytesOf, Random, sha256Of } from './byte-source.ts'
import { type Answer, ConnectionLost, type Wire } from './http-wire.ts'
import {
  type CompleteAnswer,
  codeOf,
  completed,
  createdId,
  initiated,
  JsonDriver,
  offsetIn,
  progressIn,
  type Sending,
  storedChunk,
  TusDriver,
  UnexpectedAnswer,
} from './upload-drivers.ts'

const MIB = 1024 * 1024
const KIB = 1024
/** Answers after which a client tries again: tus clients ask with HEAD first. */
const LATER = { tus: [423], json: [423, 503] } as const
const PAUSE_MS = 100
const PARALLEL = 3

/** Which upload, and how it reaches its servers. */
export interface SprayedPlace {
  readonly wire: Wire
  readonly seed: number
  readonly index: number
  /** Bytes of the file. */
  readonly size: number
  /** The upload, where another client has begun it already, of the same file. @default a new one */
  readonly id?: string
  /** Which of several clients of one file this is: they do other things in another order. @default 0 */
  readonly client?: number
}

/**
 * An upload whose every request may go to any node, and whose nodes come and go. It tries again as real clients do, and
 * keeps its own record of what it was promised.
 */
export abstract class SprayedUpload {
  readonly name: string
  readonly bytes: Buffer
  protected readonly wire: Wire
  protected readonly random: Random
  /** Requests that were told to come again, or lost their connection. */
  retries = 0
  /** The statuses of answers that told to come again; 0 for a lost connection. */
  readonly refusals = new Set<number>()
  #id: string | null = null

  constructor(face: string, { wire, seed, index, size, id, client = 0 }: SprayedPlace) {
    this.name = `${face}-${index}${client === 0 ? '' : `-${client}`}`
    this.wire = wire
    this.random = new Random(seed, 5000 + index + 100_000 * client)
    this.bytes = bytesOf(seed + index, size)
    this.#id = id ?? null
  }

  /** Bytes it was told are durable. */
  abstract readonly acknowledged: number
  protected abstract create(): Promise<string>
  protected abstract send(): Promise<void>

  get id(): string {
    if (this.#id === null) throw new Error(`${this.name} is not created yet.`)
    return this.#id
  }

  get isCreated(): boolean {
    return this.#id !== null
  }

  /** Uploads all of it, and compares the finished file. */
  async run(): Promise<void> {
    // A creation whose answer was lost is begun anew.
    this.#id ??= await this.patiently(() => this.create(), [423, 503])
    await this.send()
    const { id: fileId, checksum } = await this.#complete()
    expect(checksum, `${this.name}: checksum`).toBe(sha256Of(this.bytes))
    const content = await this.patiently(async () => {
      const answer = await this.wire.send('GET', `/api/v1/files/${fileId}/content`)
      if (answer.status !== 200) throw new UnexpectedAnswer('the file', answer)
      return answer.body
    }, LATER.json)
    expect(content.equals(this.bytes), `${this.name}: bytes of the finished file`).toBe(true)
  }

  /** Completes it, and asks again while its checksum is being computed: a node that shuts down waits for none. */
  async #complete(): Promise<CompleteAnswer> {
    const json = new JsonDriver(this.wire)
    for (;;) {
      const answer = await this.patiently(async () => completed(await json.complete(this.id)), LATER.json)
      if (answer.checksum !== null) return answer
      await delay(PAUSE_MS)
    }
  }

  /** Asks any node for the progress, which never goes back. */
  async check(): Promise<void> {
    if (!this.isCreated) return
    const { acknowledged } = this
    const json = new JsonDriver(this.wire)
    const progress = await this.patiently(async () => progressIn(await json.progress(this.id)), LATER.json)
    expect(progress.uploadedBytes, `${this.name}: acknowledged bytes are gone`).toBeGreaterThanOrEqual(acknowledged)
  }

  /** Tries again while the connection is lost, or the answer says later. */
  protected async patiently<T>(ask: () => Promise<T>, later: readonly number[]): Promise<T> {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        const isLater = error instanceof UnexpectedAnswer && this.mayPass(error.answer, later)
        if (!isLater && !(error instanceof ConnectionLost)) throw error
        await this.refused(error)
      }
    }
  }

  /** Whether an answer says to come again. */
  protected mayPass(answer: Answer, later: readonly number[]): boolean {
    return later.includes(answer.status)
  }

  /** Takes note of a refusal, and waits. */
  protected async refused(error: UnexpectedAnswer | ConnectionLost): Promise<void> {
    this.retries += 1
    this.refusals.add(error instanceof UnexpectedAnswer ? error.answer.status : 0)
    await delay(PAUSE_MS)
  }

  /** A body that takes its time, so that what happens to the nodes happens in the midst of it. */
  protected sending(): Sending {
    return {
      pieceBytes: () => this.random.int(64 * KIB, 512 * KIB),
      pauseMs: () => this.random.pick([0, 5, 10, 20]),
    }
  }
}

/** One over tus: HEAD, then a PATCH of some length, until all is there. */
export class SprayedTusUpload extends SprayedUpload {
  readonly #log: OffsetLog

  constructor(place: SprayedPlace) {
    super('tus', place)
    this.#log = new OffsetLog(this.name)
  }

  get acknowledged(): number {
    return this.#log.offset
  }

  protected async create(): Promise<string> {
    return createdId(await new TusDriver(this.wire).create(this.bytes.length, this.name))
  }

  protected async send(): Promise<void> {
    const tus = new TusDriver(this.wire)
    for (;;) {
      const head = await this.patiently(() => ask(tus.head(this.id), 200), LATER.tus)
      this.#log.told(offsetIn(head) ?? -1)
      if (this.#log.offset === this.bytes.length) return
      await this.#append(tus)
    }
  }

  async #append(tus: TusDriver): Promise<void> {
    while (this.#log.offset < this.bytes.length) {
      const from = this.#log.offset
      const length = this.random.chance(0.4) ? this.bytes.length : this.random.int(200 * KIB, 9 * MIB)
      this.#log.sending(from)
      try {
        const patch = tus.patch(this.id, from, this.bytes.subarray(from, from + length), this.sending())
        this.#log.told(offsetIn(await ask(patch, 204)) ?? -1)
      } catch (error) {
        // What became of it only a HEAD tells; a 409 says that another has gone on.
        const isPassing = error instanceof UnexpectedAnswer && [409, 423].includes(error.answer.status)
        if (!isPassing && !(error instanceof ConnectionLost)) throw error
        await this.refused(error)
        return
      }
    }
  }
}

/** One over the JSON face: chunks in a random order, several at a time. */
export class SprayedJsonUpload extends SprayedUpload {
  readonly #log: ChunkLog
  readonly isShared: boolean
  #chunkSize = 5 * MIB

  constructor(place: SprayedPlace) {
    super('json', place)
    this.isShared = place.id !== undefined
    this.#log = new ChunkLog(this.name)
  }

  /** Of several clients one may come too late, with bytes that are there by now: then the same is answered with 200. */
  protected override mayPass(answer: Answer, later: readonly number[]): boolean {
    return super.mayPass(answer, later) || (this.isShared && codeOf(answer) === 'UPLOAD_COMPLETED')
  }

  get acknowledged(): number {
    return [...this.#log.durable].reduce((sum, number) => sum + this.#chunk(number).length, 0)
  }

  protected async create(): Promise<string> {
    const upload = initiated(await new JsonDriver(this.wire).initiate(this.bytes.length, this.name, this.#chunkSize))
    this.#chunkSize = upload.chunkSize
    return upload.id
  }

  protected async send(): Promise<void> {
    const count = Math.ceil(this.bytes.length / this.#chunkSize)
    const queue = this.random.shuffle(Array.from({ length: count }, (_, number) => number))
    const worker = async (): Promise<void> => {
      for (let number = queue.pop(); number !== undefined; number = queue.pop()) await this.#put(number)
    }
    await Promise.all(Array.from({ length: PARALLEL }, worker))
    const json = new JsonDriver(this.wire)
    const progress = await this.patiently(async () => progressIn(await json.progress(this.id)), LATER.json)
    expect(this.#log.toldMissing(progress.missingChunks, count)).toEqual([])
  }

  async #put(number: number): Promise<void> {
    const chunk = this.#chunk(number)
    const put = () => new JsonDriver(this.wire).putChunk(this.id, number, chunk, this.sending())
    const stored = await this.patiently(async () => storedChunk(await put()), LATER.json)
    expect(stored).toMatchObject({ chunkNumber: number, size: chunk.length, checksum: sha256Of(chunk) })
    this.#log.answered(stored)
  }

  #chunk(number: number): Buffer {
    return this.bytes.subarray(number * this.#chunkSize, (number + 1) * this.#chunkSize)
  }
}

async function ask(work: Promise<Answer>, status: number): Promise<Answer> {
  const answer = await work
  if (answer.status !== status) throw new UnexpectedAnswer('the request', answer)
  return answer
}
