import { UploadError } from '../errors.ts'
import type { Hold } from '../storage/storage.ts'
import { MemoryHold } from '../storage/memory-hold.ts'
import { SpoolFile } from './spool.ts'

/** What {@link Holds} gives out. */
export interface HoldsOptions {
  /** Bytes in memory, all holds together. */
  readonly memory: number
  /** Whose memory it is, where others use it meanwhile. @default their own */
  readonly lender?: Lender
  /** Bytes in files, all holds together. */
  readonly spool: number
  /** Where the files are. */
  readonly spoolDirectory: string
}

/** A budget that lends what it can spare. */
interface Lender {
  /** Whether the bytes were lent. */
  lend(bytes: number): boolean
  giveBack(bytes: number): void
}

/** What is spoken for. */
interface Claimed {
  readonly memory: boolean
  readonly files: boolean
}

interface Wanted {
  readonly bytes: number
  /** Whether it may be in memory. */
  readonly inMemory: boolean
}

interface Waiting extends Wanted {
  readonly grant: (hold: Hold) => void
}

/**
 * Room for bodies that are held before they are stored. Each reserves all it may need before its first byte: in memory,
 * or, where memory is short, in a file. Beyond that it waits in turn, unread, and TCP holds its sender back. So nobody
 * runs out of room in the middle, and no two wait for what the other has begun to fill.
 */
export class Holds {
  readonly #options: HoldsOptions
  readonly #waiting: Waiting[] = []
  #inMemory = 0
  #inFiles = 0

  constructor(options: HoldsOptions) {
    this.#options = options
  }

  /** Bytes reserved, in memory and in files. */
  get reserved(): { readonly memory: number; readonly files: number } {
    return { memory: this.#inMemory, files: this.#inFiles }
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** The most that one body can have, bytes. Memory that is only lent may never be had. */
  get largest(): number {
    const { memory, spool, lender } = this.#options
    return lender === undefined ? Math.max(memory, spool) : spool
  }

  /** Of what is held for long, the most that is held in memory: one slow body must not take all of it, bytes. */
  get share(): number {
    return Math.floor(this.#options.memory / 4)
  }

  /**
   * Room for `bytes`, in turn; with `inMemory` false in a file, where there can be one of that size. It is given back by
   * the hold's `drop`.
   * @throws UploadError `UPLOAD_LOCKED` when `gone` aborts first; `STORAGE_UNAVAILABLE` where there never is so much
   */
  async take(bytes: number, gone: AbortSignal, inMemory = true): Promise<Hold> {
    if (bytes > this.largest) {
      throw new UploadError('STORAGE_UNAVAILABLE', {
        message: `What must be held of this body are ${bytes} bytes; this server has room for ${this.largest}.`,
      })
    }
    const wanted = this.#wanted(bytes, inMemory)
    return this.#reserve(wanted, this.#claimed()) ?? this.#turn(wanted, gone)
  }

  /** Room for `bytes` if there is some now, and nobody waits for it; else null. */
  takeNow(bytes: number, inMemory = true): Hold | null {
    return this.#reserve(this.#wanted(bytes, inMemory), this.#claimed())
  }

  /** What no file could ever hold may be in memory after all. */
  #wanted(bytes: number, inMemory: boolean): Wanted {
    return { bytes, inMemory: inMemory || bytes > this.#options.spool }
  }

  /** Room in memory, or else in a file, unless somebody waits for that already. */
  #reserve({ bytes, inMemory }: Wanted, claimed: Claimed): Hold | null {
    const { memory, spool, spoolDirectory, lender } = this.#options
    if (inMemory && !claimed.memory && this.#inMemory + bytes <= memory && lender?.lend(bytes) !== false) {
      this.#inMemory += bytes
      return new MemoryHold(() => {
        this.#inMemory -= bytes
        lender?.giveBack(bytes)
        this.#wake()
      })
    }
    if (claimed.files || this.#inFiles + bytes > spool) return null
    this.#inFiles += bytes
    return new SpoolFile(spoolDirectory, () => {
      this.#inFiles -= bytes
      this.#wake()
    })
  }

  /** What those who wait have a claim on: one that could never be in memory keeps nobody out of it. */
  #claimed(): Claimed {
    const { memory, spool } = this.#options
    return {
      memory: this.#waiting.some(({ bytes, inMemory }) => inMemory && bytes <= memory),
      files: this.#waiting.some(({ bytes }) => bytes <= spool),
    }
  }

  #wake(): void {
    const { memory, spool } = this.#options
    const claimed = { memory: false, files: false }
    for (const next of this.#waiting.slice()) {
      const hold = this.#reserve(next, claimed)
      if (hold === null) {
        claimed.memory ||= next.inMemory && next.bytes <= memory
        claimed.files ||= next.bytes <= spool
      } else {
        this.#waiting.splice(this.#waiting.indexOf(next), 1)
        next.grant(hold)
      }
    }
  }

  #turn(wanted: Wanted, gone: AbortSignal): Promise<Hold> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        ...wanted,
        grant: (hold) => {
          gone.removeEventListener('abort', giveUp)
          resolve(hold)
        },
      }
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(new UploadError('UPLOAD_LOCKED', { message: 'The server is busy with other bodies. Try again.' }))
        // It may have been the one that was too large for what is free.
        this.#wake()
      }
      if (gone.aborted) {
        reject(new UploadError('UPLOAD_LOCKED'))
        return
      }
      gone.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiting)
    })
  }
}
