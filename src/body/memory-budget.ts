import { UploadError } from '../errors.ts'

/** The least that a body works with, bytes: below it more bodies wait, so that none crawls. */
const LEAST_SHARE = 256 * 1024
/** The same where a body is held elsewhere, and this is only what is read ahead of it. */
export const LEAST_READ_AHEAD = 64 * 1024
/** The most that a body can use, bytes: more makes nothing faster. */
const LARGEST_SHARE = 8 * 1024 * 1024
/**
 * The most that bodies can use together, bytes, if each has a MiB: what is held for longer outlives V8's collections of what is
 * young, and then all of the heap has to be looked through to be rid of it.
 */
const ENOUGH = 16 * 1024 * 1024
const ENOUGH_SHARE = 1024 * 1024

/** How many may wait at the least, and how much memory of the budget there is for each that may wait beyond that, bytes. */
const LEAST_QUEUE = 1000
const BUDGET_PER_WAITING = 64 * 1024

/**
 * One budget of bytes for all bodies that are on their way from the socket to storage. Everybody has the same share of it;
 * where that would be too little, newcomers wait in turn, unread, and TCP holds their senders back. Whoever waits costs memory
 * too: of a crowd beyond reason the rest is told to come again.
 */
export class MemoryBudget {
  readonly #bytes: number
  readonly #least: number
  readonly #waiting: (() => void)[] = []
  #places = 0
  #lent = 0

  /** `bytes`: the budget. `least`: the least share of a body. */
  constructor(bytes: number, least = LEAST_SHARE) {
    this.#bytes = bytes
    this.#least = least
  }

  /** How many bodies have a place. */
  get places(): number {
    return this.#places
  }

  /** Bytes that are taken: the shares of all who have a place. */
  get reserved(): number {
    return this.#places * this.share
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Bytes that each body may hold now; it changes as others come and go. */
  get share(): number {
    const places = Math.max(1, this.#places)
    const equal = Math.floor((this.#bytes - this.#lent) / places)
    const enough = Math.max(ENOUGH_SHARE, Math.floor(ENOUGH / places))
    return Math.max(this.#least, Math.min(LARGEST_SHARE, enough, equal))
  }

  /**
   * Takes a place, in turn. Each is given back with one {@link MemoryBudget.leave}.
   * @throws UploadError `UPLOAD_LOCKED` when `gone` aborts first, or too many wait already
   */
  async enter(gone: AbortSignal): Promise<void> {
    if (this.#isFull() || this.#waiting.length > 0) await this.#turn(gone)
    else this.#places += 1
  }

  /** Gives a place back. Whoever waits first takes it: nobody can come in between. */
  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#places -= 1
    else next()
  }

  /**
   * Lends bytes for something else, if nobody waits for them and everybody keeps the least share. Returns whether it did;
   * they are given back with one {@link MemoryBudget.giveBack}.
   */
  lend(bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#places * this.#least + this.#lent + bytes > this.#bytes) return false
    this.#lent += bytes
    return true
  }

  /** Takes back bytes that were lent: whoever has waited for a place comes in. */
  giveBack(bytes: number): void {
    this.#lent -= bytes
    while (this.#waiting.length > 0 && !this.#isFull()) {
      this.#places += 1
      this.#waiting.shift()?.()
    }
  }

  #isFull(): boolean {
    return (this.#places + 1) * this.#least > Math.max(this.#bytes - this.#lent, this.#least)
  }

  #turn(gone: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        gone.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1)
        reject(busy())
      }
      if (this.#waiting.length >= Math.max(LEAST_QUEUE, Math.floor(this.#bytes / BUDGET_PER_WAITING))) {
        reject(busy())
        return
      }
      if (gone.aborted) {
        reject(new UploadError('UPLOAD_LOCKED'))
        return
      }
      gone.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(enter)
    })
  }
}

function busy(): UploadError {
  return new UploadError('UPLOAD_LOCKED', { message: 'The server is busy with other bodies. Try again.' })
}
