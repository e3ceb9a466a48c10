import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Disk } from './disk.ts'
import { unlessMissing } from './file-layer.ts'
import { isCount, isObject, isStringOrNull, parseJson, toJson } from './json.ts'
import { processExists, readPidNamespace, readStartTime } from './machine.ts'

/** Who owns a directory: the content of `owner.json`. */
interface Owner {
  readonly pid: number
  readonly boot: string
  /** When the process began, in the system's measure; null where the system does not tell. */
  readonly startTime: string | null
  /** Where the pid counts: two containers both have a process 1. */
  readonly namespace: string | null
  /** Tells this owner from every other. */
  readonly token: string
  /** Whether it takes no new work, and will be gone soon. */
  readonly draining: boolean
}

/** An owner as a waiter first saw it. */
interface Seen {
  readonly token: string
  /** When it had touched its file, ms since the epoch. */
  readonly touched: number
}

const POLL_MS = 100
const DRAIN_WAIT_MS = 30_000
/** An owner touches its file this often, for those who cannot see its process. */
const HEARTBEAT_MS = 1_000
/** An owner whose process cannot be seen is taken for dead when it has not touched its file for this long. */
const SILENCE_MS = 10_000
/** Stands for an owner whose file a power cut left unreadable: a file of ours is whole from the moment it has its name. */
const UNREADABLE = 'unreadable'
/** Names of what is taken before a dead owner's file is. */
const GUARD = /^owner\.(?:[0-9a-f-]{36}|unreadable)\.json$/

/** Exclusive ownership of a directory by one process. */
export class Ownership {
  readonly #disk: Disk
  readonly #owner: Owner
  #heartbeat: NodeJS.Timeout | null = null
  readonly #onLost: () => void
  #lost = false

  private constructor(disk: Disk, owner: Owner, onLost: () => void) {
    this.#disk = disk
    this.#owner = owner
    this.#onLost = onLost
  }

  /**
   * Takes the directory. Waits `waitMs` for an owner that lives, and up to 30 s for one that is draining.
   * `onLost` is called when another process has taken it all the same.
   *
   * @throws Error in one line when the owner stays.
   */
  static async take(disk: Disk, waitMs: number, onLost: () => void): Promise<Ownership> {
    const { layer, layout, boot } = disk
    const namespace = await readPidNamespace(layer)
    const startTime = (await readStartTime(layer, process.pid)) ?? null
    const owner = { pid: process.pid, boot, startTime, namespace, token: randomUUID(), draining: false }
    const ownership = new Ownership(disk, owner, onLost)
    const began = Date.now()
    let seen: Seen = { token: '', touched: 0 }
    for (;;) {
      const standing = await ownership.#attempt(layout.owner)
      if (standing === null) break
      const touched = (await unlessMissing(layer.stat(layout.owner)))?.mtimeMs ?? 0
      if (seen.token !== standing.token) seen = { token: standing.token, touched }
      // Of a process that cannot be seen only a touch tells that it lives; until then it may just have died.
      const known = ownership.#canSee(standing) || seen.touched !== touched
      const limit = standing.draining ? Math.max(waitMs, DRAIN_WAIT_MS) : known ? waitMs : Math.max(waitMs, SILENCE_MS)
      if (Date.now() - began >= limit) throw new Error(inUse(layout.directory, standing))
      await delay(POLL_MS)
    }
    // Best effort: they are in nobody's way.
    await ownership.#removeGuards().catch(() => {})
    ownership.#begin()
    return ownership
  }

  /** Whether the directory was taken from this process: it was stopped for so long that it was believed dead. */
  get lost(): boolean {
    return this.#lost
  }

  /** Tells whoever waits that this process will be gone soon. */
  async drain(): Promise<void> {
    const { layout } = this.#disk
    if ((await this.#read(layout.owner))?.token !== this.#owner.token) return
    await this.#disk.replace(layout.owner, toJson({ ...this.#owner, draining: true }), false)
  }

  /** Gives the directory back, if it is still this process's. */
  async release(): Promise<void> {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    const { layout } = this.#disk
    if ((await this.#read(layout.owner))?.token === this.#owner.token) await this.#disk.remove(layout.owner)
  }

  /**
   * Tries once to make `path` ours. Returns null when it is, else the living owner in the way.
   *
   * A dead owner's file is replaced only by who holds a second file, named for that owner's token and taken by these same
   * rules. So of many that start at once after a crash one replaces it, and the others, when the second file comes to
   * them, find another token in the first.
   */
  async #attempt(path: string): Promise<Owner | null> {
    for (;;) {
      if (await this.#disk.writeNew(path, toJson(this.#owner), false)) return null
      const standing = await this.#read(path)
      if (standing === null) continue
      if (await this.#lives(standing, path)) return standing
      const guard = this.#guard(standing.token)
      const rival = await this.#attempt(guard)
      if (rival !== null) return rival
      try {
        if ((await this.#read(path))?.token === standing.token) {
          await this.#disk.replace(path, toJson(this.#owner), false)
          return null
        }
      } finally {
        await this.#disk.remove(guard)
      }
    }
  }

  /** Those who died while they took the directory left them. Who holds one now will find a living owner, and go. */
  async #removeGuards(): Promise<void> {
    const { layer, layout } = this.#disk
    for (const name of await layer.readdir(layout.directory)) {
      if (GUARD.test(name)) await this.#disk.remove(`${layout.directory}/${name}`)
    }
  }

  #guard(token: string): string {
    return `${this.#disk.layout.directory}/owner.${token}.json`
  }

  async #read(path: string): Promise<Owner | null> {
    const content = await this.#disk.read(path)
    if (content === null) return null
    const value = parseJson(content)
    if (isOwner(value)) return value
    return { pid: 0, boot: '', startTime: null, namespace: null, token: UNREADABLE, draining: false }
  }

  #canSee(owner: Owner): boolean {
    return owner.namespace === this.#owner.namespace
  }

  async #lives(owner: Owner, path: string): Promise<boolean> {
    if (owner.boot !== this.#owner.boot) return false
    if (!this.#canSee(owner)) {
      const touched = (await unlessMissing(this.#disk.layer.stat(path)))?.mtimeMs ?? 0
      return Date.now() - touched < SILENCE_MS
    }
    const startTime = await readStartTime(this.#disk.layer, owner.pid)
    if (startTime === undefined) return processExists(owner.pid)
    return startTime !== null && startTime === owner.startTime
  }

  #begin(): void {
    this.#heartbeat = setInterval(() => {
      // A passing trouble of the disk is not a loss; the next beat looks again.
      this.#beat().catch(() => {})
    }, HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  async #beat(): Promise<void> {
    const { layer, layout } = this.#disk
    const standing = await this.#read(layout.owner)
    if (standing?.token === this.#owner.token) {
      await layer.utimes(layout.owner, new Date(), new Date())
    } else if (!this.#lost) {
      this.#lost = true
      this.#onLost()
    }
  }
}

function inUse(directory: string, owner: Owner): string {
  return `${directory} is in use by process ${owner.pid}; stop it or choose another DATA_DIR`
}

/** Whether a value is the content of `owner.json`. */
export function isOwner(value: unknown): value is Owner {
  return (
    isObject(value) &&
    isCount(value.pid) &&
    typeof value.boot === 'string' &&
    isStringOrNull(value.startTime) &&
    isStringOrNull(value.namespace) &&
    typeof value.token === 'string' &&
    /^[0-9a-f-]{36}$/.test(value.token) &&
    typeof value.draining === 'boolean'
  )
}
