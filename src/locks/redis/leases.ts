import { answered } from '../../redis/script.ts'
import type { LockScripts } from './lock-scripts.ts'
import type { Party } from './party.ts'

/** What {@link Leases} need. */
export interface LeasesOptions {
  readonly scripts: LockScripts
  readonly leaseMs: number
  readonly commandTimeoutMs: number
}

/**
 * All tokens of this process, held and wanted, and the one timer that renews them. Renewing is looking, too: the answer
 * says of each token how it stands, and what no message said is found out here.
 */
export class Leases {
  readonly #options: LeasesOptions
  readonly #parties = new Map<string, Party>()
  #timer: NodeJS.Timeout | undefined
  #firesAt = Number.POSITIVE_INFINITY

  constructor(options: LeasesOptions) {
    this.#options = options
  }

  /** How many locks are held or wanted. */
  get size(): number {
    return this.#parties.size
  }

  add(party: Party): void {
    this.#parties.set(party.token, party)
  }

  find(token: string): Party | undefined {
    return this.#parties.get(token)
  }

  delete(party: Party): void {
    if (this.#parties.delete(party.token) && this.#parties.size === 0) this.#rest()
  }

  /** Sees to it that the timer fires when this party is due. */
  plan(party: Party): void {
    if (!party.isOver && party.dueAt < this.#firesAt) this.#fireAt(party.dueAt)
  }

  /** Looks at everybody who may have missed a message, now. */
  lookAround(): void {
    for (const party of this.#parties.values()) party.lookAgain()
    if (this.#firesAt <= performance.now()) this.#fire()
  }

  /** Renews nothing any more, and refuses all who wait. */
  close(reason: Error): void {
    this.#rest()
    for (const party of this.#parties.values()) party.turn?.refuse(reason)
    this.#parties.clear()
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#firesAt = Number.POSITIVE_INFINITY
  }

  #fireAt(at: number): void {
    clearTimeout(this.#timer)
    this.#firesAt = at
    if (at < Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(() => this.#fire(), Math.max(1, Math.ceil(at - performance.now())))
    }
  }

  #fire(): void {
    const now = performance.now()
    // Those that are due soon come along, so that many locks are renewed together.
    const soon = now + this.#options.leaseMs / 12
    const due = new Map<string, Party[]>()
    for (const party of this.#parties.values()) {
      if (party.isPast() && !party.isLeaving) party.lose()
      else if (!party.isLooking && (party.renewAt <= soon || party.wakeAt <= now)) {
        const together = due.get(party.key)
        if (together === undefined) due.set(party.key, [party])
        else together.push(party)
      }
    }
    for (const [key, parties] of due) void this.#look(key, parties)
    let next = Number.POSITIVE_INFINITY
    for (const party of this.#parties.values()) next = Math.min(next, party.dueAt)
    this.#fireAt(next)
  }

  /** Renews the tokens of one upload. */
  async #look(key: string, parties: readonly Party[]): Promise<void> {
    const { scripts, leaseMs, commandTimeoutMs } = this.#options
    const tokens = parties.map(({ token }) => token)
    for (const party of parties) party.isLooking = true
    const sentAt = performance.now()
    try {
      const standings = await answered(scripts.renew(key, leaseMs, tokens), commandTimeoutMs)
      for (const party of parties) party.isLooking = false
      for (const [i, standing] of standings.entries()) parties[i]?.heard(standing, sentAt)
    } catch (error) {
      for (const party of parties) party.isLooking = false
      for (const party of parties) party.failed(error as Error)
    }
  }
}
