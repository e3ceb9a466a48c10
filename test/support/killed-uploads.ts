import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ChunkLog, OffsetLog } from './acknowledged-log.ts'
import { bytesOf, Random, sha256Of } from './byte-source.ts'
import type { Answer } from './http-wire.ts'
import type { ServerLife } from './server-life.ts'
import {
  completed,
  createdId,
  initiated,
  JsonDriver,
  offsetIn,
  progressIn,
  storedChunk,
  TusDriver,
  UnexpectedAnswer,
  untilServed,
} from './upload-drivers.ts'

const MIB = 1024 * 1024
const KIB = 1024

/** Where an upload lives, and which one it is. */
export interface Place {
  readonly dataDir: string
  readonly seed: number
  readonly index: number
}

/** One upload by a client that lives on while its server is killed again and again. */
export abstract class KilledUpload {
  abstract readonly face: 'tus' | 'json' | 'both'
  readonly name: string
  readonly size: number
  protected readonly random: Random
  protected readonly bytes: Buffer
  protected readonly sha256: string
  protected id: string | null = null
  /** Requests whose body is under way. */
  protected inFlight = 0
  readonly #dataDir: string
  #fileId: string | null = null
  #finished = false

  constructor(face: string, { dataDir, seed, index }: Place) {
    this.random = new Random(seed, 1000 + index)
    this.size = this.random.int(4 * MIB, 16 * MIB)
    this.bytes = bytesOf(seed + index, this.size)
    this.sha256 = sha256Of(this.bytes)
    this.name = `${face}-${index}.bin`
    this.#dataDir = dataDir
  }

  get finished(): boolean {
    return this.#finished
  }

  /** Whether a kill now interrupts a partly acknowledged upload whose next bytes are under way. */
  get isCaught(): boolean {
    return this.acknowledged > 0 && this.acknowledged < this.size && this.inFlight > 0
  }

  /** Bytes it was told are durable. */
  protected abstract readonly acknowledged: number
  /** Creates it. */
  protected abstract begin(life: ServerLife): Promise<string>
  /** Asks where to go on, and checks it against what was acknowledged. */
  protected abstract resume(life: ServerLife, id: string): Promise<void>
  /** Sends what is missing. */
  protected abstract send(life: ServerLife, id: string): Promise<void>

  /** Goes on from wherever the last life ended. @throws ConnectionLost when this one ends */
  async live(life: ServerLife): Promise<void> {
    // A creation whose answer was lost is begun anew.
    this.id ??= await this.begin(life)
    await this.check(life)
    await this.resume(life, this.id)
    await this.check(life)
    await this.send(life, this.id)
    await this.#complete(life, this.id)
    await this.check(life)
  }

  /** Asks for the progress; where it says that the file is done, the file must be whole in that moment. */
  async check(life: ServerLife): Promise<void> {
    if (this.id === null) return
    const { acknowledged, finished } = this
    const progress = progressIn(await new JsonDriver(life.wire).progress(this.id))
    this.#fileId = progress.fileId
    expect(progress.totalSize).toBe(this.size)
    expect(progress.uploadedBytes, `${this.name}: acknowledged bytes are gone`).toBeGreaterThanOrEqual(acknowledged)
    if (progress.status === 'uploaded') await this.checkFile()
    else expect(finished, `${this.name}: finished, and now ${progress.status}`).toBe(false)
  }

  /** The finished file must be there, with every byte. */
  protected async checkFile(): Promise<void> {
    const file = await readFile(join(this.#dataDir, 'files', this.#fileId ?? ''))
    expect(file.length, `${this.name}: size of the finished file`).toBe(this.size)
    expect(file.equals(this.bytes), `${this.name}: bytes of the finished file`).toBe(true)
    expect(sha256Of(file)).toBe(this.sha256)
  }

  /** Runs a request with a body, and counts it while bytes of it are under way. */
  protected async underWay<T>(work: (onSent: () => void) => Promise<T>): Promise<T> {
    let begun = false
    try {
      return await work(() => {
        if (!begun) this.inFlight += 1
        begun = true
      })
    } finally {
      if (begun) this.inFlight -= 1
    }
  }

  async #complete(life: ServerLife, id: string): Promise<void> {
    const json = new JsonDriver(life.wire)
    const onAllSent = (): void => {
      if (this.face !== 'tus') life.ending()
    }
    const answer = await untilServed(() => json.complete(id, { onAllSent }), [423])
    const { id: fileId, size, status, checksum } = completed(answer)
    expect({ fileId, size, status, checksum }).toEqual({
      fileId: this.#fileId,
      size: this.size,
      status: 'uploaded',
      checksum: this.sha256,
    })
    await this.checkFile()
    this.#finished = true
  }
}

/** An upload over tus. */
export class KilledTusUpload extends KilledUpload {
  readonly face = 'tus'
  readonly #log: OffsetLog

  constructor(place: Place) {
    super('tus', place)
    this.#log = new OffsetLog(this.name)
  }

  protected get acknowledged(): number {
    return this.#log.offset
  }

  protected async begin(life: ServerLife): Promise<string> {
    return createdId(await new TusDriver(life.wire).create(this.size, this.name))
  }

  protected async resume(life: ServerLife, id: string): Promise<void> {
    const answer = await untilServed(() => new TusDriver(life.wire).head(id), [423])
    if (answer.status !== 200) throw new UnexpectedAnswer('HEAD', answer)
    const offset = offsetIn(answer) ?? -1
    this.#log.told(offset)
    expect(answer.headers['upload-length']).toBe(String(this.size))
    // An offset equal to the length says that the whole file is there.
    if (offset === this.size) await this.checkFile()
  }

  protected async send(life: ServerLife, id: string): Promise<void> {
    const tus = new TusDriver(life.wire)
    while (this.#log.offset < this.size) {
      const from = this.#log.offset
      const length = this.random.chance(0.3) ? this.size : this.random.int(50 * KIB, 1536 * KIB)
      const body = this.bytes.subarray(from, Math.min(this.size, from + length))
      this.#log.sending(from)
      const onAllSent = (): void => {
        if (from + body.length === this.size) life.ending()
      }
      const answer = await this.underWay((onSent) =>
        tus.patch(id, from, body, life.sending(this.random, { onSent, onAllSent })),
      )
      if (answer.status !== 204) throw new UnexpectedAnswer('PATCH', answer)
      expect(offsetIn(answer)).toBe(from + body.length)
      this.#log.told(from + body.length)
      if (this.#log.offset === this.size) await this.checkFile()
    }
  }
}

const PARALLEL = 3

/** An upload over the JSON face: chunks in a random order, several at a time. */
export class KilledJsonUpload extends KilledUpload {
  readonly face: 'json' | 'both' = 'json'
  readonly #log: ChunkLog
  readonly #chunkSize: number
  readonly #count: number
  #missing: number[] = []

  constructor(place: Place, name = 'json') {
    super(name, place)
    this.#log = new ChunkLog(this.name)
    this.#chunkSize = this.random.pick([256 * KIB, 200_003])
    this.#count = Math.ceil(this.size / this.#chunkSize)
  }

  protected get acknowledged(): number {
    let bytes = 0
    for (const number of this.#log.durable) bytes += this.#chunk(number).length
    return bytes
  }

  protected async begin(life: ServerLife): Promise<string> {
    const answer = await new JsonDriver(life.wire).initiate(this.size, this.name, this.#chunkSize)
    const upload = initiated(answer)
    expect(upload).toMatchObject({ chunkSize: this.#chunkSize, totalChunks: this.#count })
    return upload.id
  }

  protected async resume(life: ServerLife, id: string): Promise<void> {
    const json = new JsonDriver(life.wire)
    const { missingChunks, totalChunks } = progressIn(await json.progress(id))
    expect(totalChunks).toBe(this.#count)
    this.#missing = this.#log.toldMissing(missingChunks, totalChunks)
    // Not the resuming client, but a forgetful one: what was acknowledged may be sent again and is answered as before.
    for (const number of this.random.shuffle([...this.#log.answers.keys()]).slice(0, 2)) {
      const again = await json.putChunk(id, number, this.#chunk(number))
      this.#log.answered(storedChunk(again))
    }
  }

  protected async send(life: ServerLife, id: string): Promise<void> {
    const json = new JsonDriver(life.wire)
    const queue = this.random.shuffle(this.#missing)
    const worker = async (): Promise<void> => {
      for (let number = queue.pop(); number !== undefined; number = queue.pop()) {
        const chunk = this.#chunk(number)
        this.#log.sending(number)
        const answer = await this.underWay((onSent) =>
          json.putChunk(id, number, chunk, life.sending(this.random, { onSent })),
        )
        const stored = storedChunk(answer)
        expect(stored).toMatchObject({ chunkNumber: number, size: chunk.length, checksum: sha256Of(chunk) })
        this.#log.answered(stored)
      }
    }
    // All of them: what was answered before the kill is still to be read.
    const ends = await Promise.allSettled(Array.from({ length: PARALLEL }, worker))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  #chunk(number: number): Buffer {
    return this.bytes.subarray(number * this.#chunkSize, (number + 1) * this.#chunkSize)
  }
}

/** An upload that a JSON client and a tus client write at the same time, each with a record of its own. */
export class KilledSharedUpload extends KilledJsonUpload {
  override readonly face = 'both'
  readonly #offsets: OffsetLog

  constructor(place: Place) {
    super(place, 'both')
    this.#offsets = new OffsetLog(this.name)
  }

  protected override async resume(life: ServerLife, id: string): Promise<void> {
    await super.resume(life, id)
    this.#offsets.told(offsetIn(await this.#head(life, id)) ?? -1)
  }

  protected override async send(life: ServerLife, id: string): Promise<void> {
    const ends = await Promise.allSettled([super.send(life, id), this.#append(life, id)])
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  /** Appends till the end, over chunks that the other client has brought before. */
  async #append(life: ServerLife, id: string): Promise<void> {
    const tus = new TusDriver(life.wire)
    while (this.#offsets.offset < this.size) {
      const from = this.#offsets.offset
      const body = this.bytes.subarray(from, from + this.random.int(50 * KIB, 1536 * KIB))
      this.#offsets.sending(from)
      const answer = await this.underWay((onSent) => tus.patch(id, from, body, life.sending(this.random, { onSent })))
      if (answer.status === 409) {
        // The other client has brought what comes next, and so moved the offset: forward, and the answer says where to.
        expect(offsetIn(answer)).toBeGreaterThan(from)
        this.#offsets.told(offsetIn(answer) ?? -1)
        continue
      }
      if (answer.status !== 204) throw new UnexpectedAnswer('PATCH', answer)
      expect(offsetIn(answer)).toBeGreaterThanOrEqual(from + body.length)
      this.#offsets.told(offsetIn(answer) ?? -1)
    }
    await this.checkFile()
  }

  async #head(life: ServerLife, id: string): Promise<Answer> {
    const answer = await untilServed(() => new TusDriver(life.wire).head(id), [423])
    if (answer.status !== 200) throw new UnexpectedAnswer('HEAD', answer)
    if (offsetIn(answer) === this.size) await this.checkFile()
    return answer
  }
}
