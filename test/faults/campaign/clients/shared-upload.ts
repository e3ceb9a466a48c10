import { initiated } from '../../../support/upload-drivers.ts'
import { CampaignClient, type ClientPlace, type Call, LATER } from './campaign-client.ts'
import { JsonUpload } from './json-upload.ts'
import { TusUpload } from './tus-upload.ts'

/** One upload that clients of both protocols write at the same time, each with a record of its own. */
export class SharedUpload extends CampaignClient {
  readonly #bytes: Buffer
  #clients: readonly CampaignClient[] = []

  constructor(place: ClientPlace) {
    super('both', place)
    this.#bytes = this.drawBytes(this.drawSize())
  }

  get isPartlyAcknowledged(): boolean {
    return this.#clients.some((client) => client.isPartlyAcknowledged)
  }

  override get callsUnderWay(): readonly Call[] {
    return [...new Set([...super.callsUnderWay, ...this.#clients.flatMap((client) => client.callsUnderWay)])]
  }

  async run(): Promise<void> {
    const { id, chunkSize } = await this.patiently(async () => {
      const grid = this.random.pick(this.place.traits.grids)
      return initiated(await this.json('initiate').initiate(this.#bytes.length, this.name, grid))
    }, LATER.json)
    const existing = { id, bytes: this.#bytes, chunkSize }
    this.begins(id)
    this.#clients = [
      new JsonUpload(this.place, { existing, stream: 1 }),
      new TusUpload(this.place, { existing, stream: 2 }),
    ]
    const ends = await Promise.allSettled(this.#clients.map((client) => client.run()))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    this.endings.push(...this.#clients.flatMap(({ endings }) => endings))
    this.enter('ended')
  }
}
