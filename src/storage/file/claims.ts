import type { Claim, Leftover } from '../storage.ts'
import type { Disk } from './disk.ts'
import { CLAIM_FILE } from './layout.ts'
import { isCount, isObject, parseJson, toJson } from './json.ts'

/** Claims on idempotency keys, one file each. */
export class Claims {
  readonly #disk: Disk
  /** What runs on a key. One process owns the directory, so this is enough to replace an old claim in one step. */
  readonly #queues = new Map<string, Promise<unknown>>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Claims a key unless it was claimed after `since` (ms). Returns the claim that stands. */
  async claim(key: string, claim: Claim, since: number): Promise<Claim> {
    const path = this.#disk.layout.claim(key)
    return await this.#alone(path, async () => {
      const sync = this.#disk.syncs('chunk')
      if (await this.#disk.writeNew(path, toJson(claim), sync)) return claim
      const standing = await this.#read(path)
      if (standing !== null && standing.at > since) return standing
      await this.#disk.replace(path, toJson(claim), sync)
      return claim
    })
  }

  /** Claims made before `before` (ms), and what a power cut made unreadable. */
  async *overdue(before: number): AsyncIterable<Leftover> {
    const { layer, layout } = this.#disk
    for (const name of await layer.readdir(layout.claims)) {
      if (!CLAIM_FILE.test(name)) continue
      const path = `${layout.claims}/${name}`
      if (!(await this.#isOverdue(path, before))) continue
      const remove = async (): Promise<void> => {
        // It may have been claimed anew meanwhile.
        if (await this.#isOverdue(path, before)) await this.#disk.remove(path)
      }
      yield { kind: 'claim', name: `claims/${name}`, remove: () => this.#alone(path, remove) }
    }
  }

  async #isOverdue(path: string, before: number): Promise<boolean> {
    const standing = await this.#read(path)
    return standing === null || standing.at < before
  }

  async #read(path: string): Promise<Claim | null> {
    const content = await this.#disk.read(path)
    const value = content === null ? undefined : parseJson(content)
    return isClaim(value) ? value : null
  }

  async #alone<T>(path: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#queues.get(path) ?? Promise.resolve()).then(work)
    const settled = done.then(
      () => {},
      () => {},
    )
    this.#queues.set(path, settled)
    try {
      return await done
    } finally {
      if (this.#queues.get(path) === settled) this.#queues.delete(path)
    }
  }
}

function isClaim(value: unknown): value is Claim {
  return isObject(value) && typeof value.id === 'string' && typeof value.fingerprint === 'string' && isCount(value.at)
}
