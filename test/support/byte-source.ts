import { createCipheriv, createHash } from 'node:crypto'

/** The seed of this run: that of HOLDFAST_SEED, to play it again, or a new one. Print it. */
export function runSeed(): number {
  const chosen = process.env['HOLDFAST_SEED']
  if (chosen === undefined || chosen === '') return Math.floor(Math.random() * 0x1_0000_0000)
  const seed = Number(chosen)
  if (!Number.isInteger(seed) || seed < 0) throw new Error(`HOLDFAST_SEED must be a whole number, not ${chosen}`)
  return seed
}

/** Random numbers that a seed tells (mulberry32). Give everyone who draws at his own time one of his own. */
export class Random {
  #state: number

  constructor(seed: number, stream = 0) {
    this.#state = (seed ^ Math.imul(stream + 1, 0x9e37_79b1)) >>> 0
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly [T, ...(readonly T[])]): T {
    return choices[this.int(0, choices.length - 1)] ?? choices[0]
  }

  /** The same items in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    return items
      .map((item) => [this.next(), item] as const)
      .toSorted(([a], [b]) => a - b)
      .map(([, item]) => item)
  }
}

/** Bytes that a seed tells, no two stretches of which are alike. */
export function bytesOf(seed: number, size: number): Buffer {
  const key = createHash('sha256').update(`holdfast ${seed}`).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

/** SHA-256 in hex. */
export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
