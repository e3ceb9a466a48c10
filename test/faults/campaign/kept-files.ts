import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../../support/byte-source.ts'
import type { Wire } from '../../support/http-wire.ts'
import type { CampaignClient, Ending } from './clients/campaign-client.ts'
import { traced } from './traces.ts'
import type { World } from './world.ts'

/** How many are kept at the same time. */
const MOST = 20
const PATIENCE_MS = 4000
const TUS = { 'Tus-Resumable': '1.0.0' } as const

type Finished = Extract<Ending, { kind: 'file' }>

interface Kept {
  readonly client: CampaignClient
  readonly ending: Finished
}

/** Files that clients were told of: told of one once, a client may ask for it for ever. */
export class KeptFiles {
  readonly #world: World
  readonly #wire: Wire
  readonly #random: Random
  readonly #files: Kept[] = []

  constructor(world: World, wire: Wire, random: Random) {
    this.#world = world
    this.#wire = wire
    this.#random = random
  }

  /** Their ids. */
  get fileIds(): readonly string[] {
    return this.#files.map(({ ending }) => ending.fileId)
  }

  /** Their ids, and those of their uploads. */
  get ids(): ReadonlySet<string> {
    return new Set(this.#files.flatMap(({ ending }) => [ending.fileId, ending.id]))
  }

  /** Keeps one more. Of those that are too many one is read again, and removed. */
  async keep(client: CampaignClient, ending: Finished): Promise<void> {
    this.#files.push({ client, ending })
    if (this.#files.length <= MOST) return
    const at = this.#random.int(0, this.#files.length - 1)
    for (const one of this.#files.splice(at, 1)) {
      await this.#check(one)
      await this.#remove(one.ending)
    }
  }

  /** Reads all of them. */
  async check(): Promise<void> {
    for (const one of this.#files) await this.#check(one)
  }

  async #check({ client, ending }: Kept): Promise<void> {
    try {
      await client.expectContent(ending.fileId, ending.bytes)
    } catch (error) {
      throw await traced(this.#world, this.#wire, error, [ending.id])
    }
  }

  async #remove({ fileId }: Finished): Promise<void> {
    const { isPlainTus } = this.#world.traits
    const path = isPlainTus ? `/files/${fileId}` : `/api/v1/files/${fileId}`
    for (;;) {
      const removed = this.#wire.send('DELETE', path, { headers: TUS, patienceMs: PATIENCE_MS })
      const answer = await removed.catch(() => null)
      if (answer !== null && [200, 204, 404, 410].includes(answer.status)) return
      if (answer !== null && ![423, 503, 507].includes(answer.status) && !isPlainTus)
        throw new Error(`DELETE of a file was answered with ${answer.status} ${answer.body.toString()}`)
      await delay(60)
    }
  }
}
