import type { Random } from '../../support/byte-source.ts'

/** How likely a call to storage fails at present. */
export interface Weather {
  /** Of a call that has failed often enough in its phase already. */
  readonly common: number
  /** Of one that has not. */
  readonly rare: number
  /** A call that fails whenever it is made, or null. */
  readonly broken: string | null
}

export const CALM: Weather = { common: 0, rare: 0, broken: null }

/** How often each call is to fail in each phase before it counts as common. */
const ENOUGH = 12

/** Decides which calls to storage fail: rather those that have seldom failed before. */
export class FaultChance {
  weather: Weather = CALM
  readonly #random: Random
  readonly #counts = new Map<string, number>()

  constructor(random: Random) {
    this.#random = random
  }

  /** A call has failed, here or elsewhere. */
  learn(cell: string, count = 1): void {
    this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + count)
  }

  /** Whether the call that is made now fails. */
  fails(cell: string): boolean {
    const { common, rare, broken } = this.weather
    const isRare = (this.#counts.get(cell) ?? 0) < ENOUGH
    const isBroken = broken !== null && cell.startsWith(`${broken}, `)
    if (!isBroken && !this.#random.chance(isRare ? rare : common)) return false
    this.learn(cell)
    return true
  }

  /** One of several. */
  pick<T>(choices: readonly [T, ...(readonly T[])]): T {
    return this.#random.pick(choices)
  }
}
