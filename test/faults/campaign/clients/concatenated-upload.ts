import { expect } from 'vitest'
import { createdId, offsetIn, UnexpectedAnswer } from '../../../support/upload-drivers.ts'
import { type Call, CampaignClient, type ClientPlace, LATER } from './campaign-client.ts'
import { TusUpload } from './tus-upload.ts'

const TUS = { 'Tus-Resumable': '1.0.0' } as const

/** Parts that are uploaded at the same time, and the file that is made of them. */
export class ConcatenatedUpload extends CampaignClient {
  readonly #parts: readonly TusUpload[]

  constructor(place: ClientPlace) {
    super('final', place)
    const count = this.random.int(2, 3)
    const most = Math.floor(place.traits.sizes[1] / 2)
    this.#parts = Array.from({ length: count }, (_, at) => {
      const size = this.random.int(1, most)
      return new TusUpload(place, { stream: at + 1, intent: 'partial', size })
    })
  }

  get isPartlyAcknowledged(): boolean {
    return this.#parts.some((part) => part.isPartlyAcknowledged)
  }

  override get names(): readonly string[] {
    return [...super.names, ...this.#parts.flatMap((part) => part.names)]
  }

  override get callsUnderWay(): readonly Call[] {
    return [...new Set([...super.callsUnderWay, ...this.#parts.flatMap((part) => part.callsUnderWay)])]
  }

  async run(): Promise<void> {
    this.enter('uploading')
    const ends = await Promise.allSettled(this.#parts.map((part) => part.run()))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    const bytes = Buffer.concat(this.#parts.map((part) => part.bytes))
    this.enter('completing')
    const concat = `final;${this.#parts.map(({ id }) => `/files/${id}`).join(' ')}`
    const headers = { ...TUS, 'Upload-Concat': concat }
    // Repeated, where an answer was lost, it makes no second file.
    const make = async () => createdId(await this.send('final', 'POST', '/files', { headers, body: Buffer.alloc(0) }))
    const id = await this.patiently(make, LATER.tus)
    this.isKnownAs(id)
    await this.patiently(async () => {
      const answer = await this.send('HEAD', 'HEAD', `/files/${id}`, { headers: TUS })
      // While it is being made its offset may not be told.
      if (answer.status === 200 && offsetIn(answer) !== bytes.length)
        throw new UnexpectedAnswer('HEAD', { ...answer, status: 423 })
      if (answer.status !== 200) throw new UnexpectedAnswer('HEAD', answer)
    }, LATER.head)
    const fileId = await this.checkFile(id, bytes)
    if (this.random.chance(0.3)) expect(await this.patiently(make, LATER.tus), `${this.name}: made again`).toBe(id)
    this.enter('ended')
    this.endings.push({ kind: 'file', id, fileId, bytes })
    for (const part of this.#parts) this.endings.push({ kind: 'abandoned', id: part.id })
  }
}
