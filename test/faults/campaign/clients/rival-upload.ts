import { expect } from 'vitest'
import { sha256Of } from '../../../support/byte-source.ts'
import { codeOf, completed, initiated, storedChunk, UnexpectedAnswer } from '../../../support/upload-drivers.ts'
import { CampaignClient, type ClientPlace, LATER } from './campaign-client.ts'

/** One upload for which two clients have other bytes: each chunk is the one's or the other's, and they are told whose. */
export class RivalUpload extends CampaignClient {
  readonly #files: readonly [Buffer, Buffer]
  readonly #chunkSize: number
  /** By chunk: whose bytes were acknowledged. */
  readonly #winners = new Map<number, number>()

  constructor(place: ClientPlace) {
    super('rivals', place)
    const size = this.drawSize()
    this.#files = [this.drawBytes(size), this.drawBytes(size)]
    this.#chunkSize = this.random.pick(place.traits.grids)
  }

  get #count(): number {
    return Math.ceil(this.#files[0].length / this.#chunkSize)
  }

  get isPartlyAcknowledged(): boolean {
    return this.#winners.size > 0 && this.#winners.size < this.#count
  }

  override get mayGoBack(): boolean {
    return this.place.traits.hasS3
  }

  async run(): Promise<void> {
    const [first] = this.#files
    const { id, fileId } = await this.patiently(
      async () => initiated(await this.json('initiate').initiate(first.length, this.name, this.#chunkSize)),
      LATER.json,
    )
    this.isKnownAs(fileId)
    this.begins(id)
    const rival = async (who: number): Promise<void> => {
      const numbers = this.random.shuffle(Array.from({ length: this.#count }, (_, number) => number))
      for (const number of numbers) await this.#put(id, number, who)
    }
    const ends = await Promise.allSettled([rival(0), rival(1)])
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    for (let number = 0; number < this.#count; number += 1)
      expect(this.#winners.get(number), `${this.name}: whose chunk ${number} is`).toBeDefined()
    await this.#untilAllIsThere(id)
    const chunks = Array.from({ length: this.#count }, (_, number) =>
      this.#chunk(number, this.#winners.get(number) ?? 0),
    )
    await this.complete(id, Buffer.concat(chunks))
  }

  async #put(id: string, number: number, who: number): Promise<void> {
    const chunk = this.#chunk(number, who)
    const headers = { 'Content-Type': 'application/octet-stream', 'X-Chunk-Number': String(number) }
    await this.patiently(async () => {
      const sending = { ...this.sending(chunk.length), headers, body: chunk }
      const answer = await this.send('chunk', 'POST', `/api/v1/uploads/${id}/chunks`, sending)
      if (answer.status === 409 && codeOf(answer) === 'CHUNK_CONFLICT') return
      expect(storedChunk(answer), this.name).toMatchObject({ chunkNumber: number, checksum: sha256Of(chunk) })
      const winner = this.#winners.get(number) ?? who
      expect(winner, `${this.name}: both are told that chunk ${number} is theirs`).toBe(who)
      this.#winners.set(number, who)
    }, LATER.json)
  }

  /**
   * The one exception: where S3 had the other content last, completing finds it out and asks for the chunk again. No other
   * may be missing.
   */
  async #untilAllIsThere(id: string): Promise<void> {
    const { hasS3 } = this.place.traits
    for (let turn = 0; ; turn += 1) {
      const missing = await this.patiently(async () => {
        const answer = await this.json('complete').complete(id)
        if (answer.status !== 409) return completed(answer) && null
        const { error } = JSON.parse(answer.body.toString()) as {
          error: { details?: { missing?: [number, number][] } }
        }
        if (error.details?.missing === undefined) throw new UnexpectedAnswer('complete', answer)
        return error.details.missing
      }, LATER.json)
      if (missing === null) return
      expect(hasS3 && turn < 3, `${this.name}: chunks ${JSON.stringify(missing)} are gone`).toBe(true)
      for (const [first, last] of missing) {
        for (let number = first; number <= last; number += 1) {
          this.#winners.delete(number)
          await this.#put(id, number, 0)
        }
      }
    }
  }

  #chunk(number: number, who: number): Buffer {
    const file = this.#files[who] ?? this.#files[0]
    return file.subarray(number * this.#chunkSize, (number + 1) * this.#chunkSize)
  }
}
