import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './byte-source.ts'
import { SprayWire } from './spray-wire.ts'
import { SprayedJsonUpload, SprayedTusUpload, type SprayedUpload } from './sprayed-uploads.ts'

/** Uploads that run at the same time, one after the other in each slot. */
const SLOTS = [SprayedTusUpload, SprayedJsonUpload, SprayedTusUpload, SprayedJsonUpload] as const

/** Who uploads where. */
export interface CrowdPlace {
  /** Where the nodes are now. */
  readonly nodes: () => readonly string[]
  readonly seed: number
  readonly random: Random
  /** Bytes of the smallest file and of the largest. */
  readonly sizes: readonly [least: number, most: number]
}

/** Clients of both faces that upload file after file while something happens to their nodes, and are being watched. */
export class SprayedCrowd {
  /** Files that were begun, all of which are finished in the end. */
  files = 0
  retries = 0
  /** The statuses by which clients were told to come again; 0 for a lost connection. */
  readonly refusals = new Set<number>()
  readonly #place: CrowdPlace
  readonly #running = new Set<SprayedUpload>()
  readonly #faults: unknown[] = []

  constructor(place: CrowdPlace) {
    this.#place = place
  }

  /** Uploads of which a part is acknowledged now. */
  get caught(): number {
    const isPart = ({ acknowledged, bytes }: SprayedUpload) => acknowledged > 0 && acknowledged < bytes.length
    return [...this.#running].filter(isPart).length
  }

  /** Uploads until `trouble` is over, and what was begun to its end. Throws the first fault that anybody finds. */
  async during(trouble: () => Promise<void>): Promise<void> {
    const { nodes, random } = this.#place
    const wire = new SprayWire(nodes, random)
    let isOver = false
    const goesOn = (): boolean => !isOver && this.#faults.length === 0
    const troubled = async (): Promise<void> => {
      try {
        await trouble()
      } finally {
        isOver = true
      }
    }
    const works = [troubled(), this.#watch(goesOn), ...SLOTS.map((Upload) => this.#upload(Upload, wire, goesOn))]
    await Promise.all(works.map((work) => work.catch((error: unknown) => void this.#faults.push(error))))
    wire.close()
    for (const fault of this.#faults) throw fault
  }

  async #upload(Upload: (typeof SLOTS)[number], wire: SprayWire, goesOn: () => boolean): Promise<void> {
    const { seed, random, sizes } = this.#place
    while (goesOn()) {
      const upload = new Upload({ wire, seed, index: (this.files += 1), size: random.int(...sizes) })
      this.#running.add(upload)
      await upload.run()
      this.#running.delete(upload)
      this.retries += upload.retries
      for (const status of upload.refusals) this.refusals.add(status)
    }
  }

  /** Looks at the progress of every upload again and again, in the midst of everything. */
  async #watch(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      for (const upload of this.#running) await upload.check()
      await delay(50)
    }
  }
}
