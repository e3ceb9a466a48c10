import {
  type AccountLimits,
  type AccountPlace,
  type Accounts,
  type Excess,
  type Holding,
  type NewHolding,
} from './accounts.ts'

/** {@link Accounts} of one process. */
export class MemoryAccounts implements Accounts {
  readonly #owners = new Map<string, Map<string, Holding>>()
  #walks = 0
  #isWhole = false

  async isWhole(): Promise<boolean> {
    return this.#isWhole
  }

  async beginWalk(): Promise<string> {
    return String((this.#walks += 1))
  }

  async endWalk(walk: string): Promise<void> {
    if (walk === String(this.#walks)) this.#isWhole = true
  }

  async reserve(owner: string, holding: NewHolding, limits: AccountLimits, now: number): Promise<Excess | null> {
    let excess = this.#excess(owner, holding, limits)
    if (excess !== null && this.#dropOverdue(owner, now)) excess = this.#excess(owner, holding, limits)
    if (excess === null) this.#put(owner, holding)
    return excess
  }

  async enter(owner: string, holding: NewHolding): Promise<void> {
    this.#put(owner, holding)
  }

  async release(owner: string, id: string): Promise<void> {
    const account = this.#owners.get(owner)
    if (account?.delete(id) === true && account.size === 0) this.#owners.delete(owner)
  }

  async page(owner: string, after: AccountPlace | null, limit: number): Promise<readonly Holding[]> {
    const all = [...(this.#owners.get(owner)?.values() ?? [])].toSorted(newestFirst)
    return all.filter((holding) => after === null || newestFirst(after, holding) < 0).slice(0, limit)
  }

  /** Forgets everything. */
  clear(): void {
    this.#owners.clear()
    this.#walks += 1
    this.#isWhole = false
  }

  #excess(owner: string, holding: NewHolding, limits: AccountLimits): Excess | null {
    const account = this.#owners.get(owner)
    const standing = account?.get(holding.id)
    const others = [...(account?.values() ?? [])].filter(({ id }) => id !== holding.id)
    if (limits.uploads !== null && standing === undefined && others.length >= limits.uploads) {
      return { of: 'uploads', limit: limits.uploads, used: others.length, requested: 1 }
    }
    const used = others.reduce((sum, { bytes }) => sum + bytes, 0)
    if (limits.bytes === null || holding.bytes <= (standing?.bytes ?? 0) || used + holding.bytes <= limits.bytes) {
      return null
    }
    return { of: 'bytes', limit: limits.bytes, used, requested: holding.bytes }
  }

  #put(owner: string, { id, bytes, at, until, atLeast = false }: NewHolding): void {
    const account = this.#owners.get(owner) ?? new Map<string, Holding>()
    const standing = account.get(id)?.bytes ?? 0
    account.set(id, { id, bytes: atLeast ? Math.max(standing, bytes) : bytes, at, until })
    this.#owners.set(owner, account)
  }

  /** Whether there was something overdue. */
  #dropOverdue(owner: string, now: number): boolean {
    const account = this.#owners.get(owner)
    const overdue = [...(account?.values() ?? [])].filter(({ until }) => until <= now)
    for (const { id } of overdue) account?.delete(id)
    return overdue.length > 0
  }
}

/** By the time they were begun, and where that is the same by their ids. */
function newestFirst(one: AccountPlace, other: AccountPlace): number {
  if (one.at !== other.at) return other.at - one.at
  if (one.id === other.id) return 0
  return one.id < other.id ? 1 : -1
}
