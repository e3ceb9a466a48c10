import { type Random, sha256Of } from '../../support/byte-source.ts'
import type { Answer, Wire } from '../../support/http-wire.ts'
import { completed, createdId, initiated, JsonDriver, offsetIn, TusDriver } from '../../support/upload-drivers.ts'
import type { Times } from './percentiles.ts'

const KIB = 1024
const PIECE = 32 * KIB

/** What is measured, by all clients together. */
export interface LoadFigures {
  /** Of requests with a body that took no longer than the network. */
  readonly quick: Times
  /** Until each client had its first answer. */
  readonly first: Times
  /** Of requests that wait for nothing but the server: creation, progress, completion. */
  readonly small: Times
  bytes: number
  files: number
  /** Completions that were answered before the checksum was known. */
  late: number
  /** Answers that were no success, by status. */
  readonly refused: Map<number, number>
}

export interface LoadClientOptions {
  readonly wire: Wire
  readonly random: Random
  readonly figures: LoadFigures
  /** Bytes a second that its network carries; Infinity for as fast as it goes. */
  readonly bytesPerSecond: number
  readonly goesOn: () => boolean
  /** What it sends is cut out of this. */
  readonly source: Buffer
}

/** Uploads one file after the other over a network of its own, over either protocol, and removes what it has made. */
export class LoadClient {
  readonly #options: LoadClientOptions

  constructor(options: LoadClientOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { random, goesOn, figures, wire } = this.#options
    const begun = performance.now()
    this.#noted(await wire.send('GET', '/healthz', {}))
    figures.first.add(performance.now() - begun)
    while (goesOn()) await (random.chance(0.5) ? this.#uploadByTus() : this.#uploadByJson())
  }

  #draw(): { readonly bytes: Buffer; readonly step: number } {
    const { random, source } = this.#options
    const size = random.int(64 * KIB, 1024 * KIB)
    const from = random.int(0, source.length - size)
    return { bytes: source.subarray(from, from + size), step: random.pick([64 * KIB, 128 * KIB]) }
  }

  async #uploadByTus(): Promise<void> {
    const { wire, goesOn } = this.#options
    const { bytes, step } = this.#draw()
    const tus = new TusDriver(wire)
    const id = createdId(await this.#small(tus.create(bytes.length, 'load.bin')))
    for (let at = 0; at < bytes.length && goesOn(); at += step) {
      const body = bytes.subarray(at, at + step)
      const answer = await this.#carry(body, () => tus.patch(id, at, body, this.#sending()))
      if (offsetIn(answer) !== at + body.length) throw new Error(`PATCH was answered with ${answer.status}`)
    }
    await this.#remove(`/files/${id}`, { 'Tus-Resumable': '1.0.0' })
  }

  async #uploadByJson(): Promise<void> {
    const { wire, figures, goesOn } = this.#options
    const { bytes, step } = this.#draw()
    const json = new JsonDriver(wire)
    const { id, totalChunks } = initiated(await this.#small(json.initiate(bytes.length, 'load.bin', step)))
    for (let number = 0; number < totalChunks; number += 1) {
      if (!goesOn()) return this.#remove(`/api/v1/uploads/${id}`)
      const body = bytes.subarray(number * step, (number + 1) * step)
      await this.#carry(body, () => json.putChunk(id, number, body, this.#sending()))
    }
    let answer = completed(await this.#small(json.complete(id)))
    for (; answer.checksum === null; figures.late += 1) answer = completed(await this.#small(json.complete(id)))
    const { id: fileId, checksum } = answer
    if (checksum !== sha256Of(bytes)) throw new Error(`The checksum of a file is ${checksum}.`)
    figures.files += 1
    await this.#remove(`/api/v1/files/${fileId}`)
  }

  async #remove(path: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#small(this.#options.wire.send('DELETE', path, { headers }))
  }

  /** A body on its way over this client's network. */
  async #carry(body: Buffer, send: () => Promise<Answer>): Promise<Answer> {
    const { figures, bytesPerSecond } = this.#options
    const begun = performance.now()
    const answer = this.#noted(await send())
    const network = (Math.floor((body.length - 1) / PIECE) * PIECE * 1000) / bytesPerSecond
    figures.quick.add(performance.now() - begun - network)
    figures.bytes += body.length
    return answer
  }

  async #small(work: Promise<Answer>): Promise<Answer> {
    const begun = performance.now()
    const answer = this.#noted(await work)
    this.#options.figures.small.add(performance.now() - begun)
    return answer
  }

  #noted(answer: Answer): Answer {
    const { refused } = this.#options.figures
    if (answer.status >= 300) refused.set(answer.status, (refused.get(answer.status) ?? 0) + 1)
    return answer
  }

  #sending() {
    const { bytesPerSecond } = this.#options
    return { pieceBytes: () => PIECE, pauseMs: () => (PIECE * 1000) / bytesPerSecond }
  }
}
