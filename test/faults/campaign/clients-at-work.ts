import type { Cell } from './tally.ts'
import type { CampaignClient } from './clients/campaign-client.ts'

/** The clients that are at it now. */
export class ClientsAtWork {
  readonly #clients = new Set<CampaignClient>()

  /** Runs a client, which can be caught meanwhile. */
  async run(client: CampaignClient): Promise<void> {
    this.#clients.add(client)
    try {
      await client.run()
    } finally {
      this.#clients.delete(client)
    }
  }

  get size(): number {
    return this.#clients.size
  }

  /** Those whose upload can be asked for. */
  get begun(): readonly CampaignClient[] {
    return [...this.#clients].filter(({ uploadId }) => uploadId !== null)
  }

  /** What is under way in this moment, by every client. */
  cells(): readonly Cell[] {
    return [...this.#clients].flatMap((client) => client.callsUnderWay.map((call) => ({ call, phase: client.phase })))
  }

  /** How many uploads of which a part is acknowledged have a request under way. */
  get caught(): number {
    return [...this.#clients].filter((client) => client.isPartlyAcknowledged && client.callsUnderWay.length > 0).length
  }
}
