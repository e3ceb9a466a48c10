import { expect } from 'vitest'
import { ConnectionLost, type Wire } from '../../support/http-wire.ts'
import { JsonDriver, type ProgressAnswer, progressIn } from '../../support/upload-drivers.ts'
import type { CampaignClient } from './clients/campaign-client.ts'

/** Somebody who only looks how far uploads are: what was told once never goes back, whoever is told next. */
export class Observer {
  readonly #json: JsonDriver
  readonly #told = new Map<string, ProgressAnswer>()

  constructor(wire: Wire) {
    this.#json = new JsonDriver({ send: (method, path) => wire.send(method, path, { patienceMs: 4000 }) })
  }

  /** Looks at the upload of a client. */
  async look(client: CampaignClient): Promise<void> {
    const id = client.uploadId
    if (id === null) return
    const before = this.#told.get(id)
    const answer = await this.#json.progress(id).catch((error: unknown) => {
      if (error instanceof ConnectionLost) return null
      throw error
    })
    // Cancelled meanwhile, or nobody can say at present.
    if (answer === null || client.phase === 'ended' || [423, 503, 507].includes(answer.status)) return
    const now = progressIn(answer)
    this.#told.set(id, now)
    if (before === undefined || client.mayGoBack) return
    expect(now.uploadedBytes, `${client.name}: bytes that were told of`).toBeGreaterThanOrEqual(before.uploadedBytes)
    if (before.status === 'uploaded') expect(now.status, `${client.name}: it was done`).toBe('uploaded')
  }
}
