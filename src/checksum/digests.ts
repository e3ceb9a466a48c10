import { chunkStart } from '../grid.ts'
import { gridOf, isGone, type StoredUpload } from '../upload.ts'
import { HashThread, type ThreadHash } from './hash-thread.ts'

/** How many files are read back at once. */
const PARALLEL = 2

/** What {@link Digests} needs of its surroundings. */
export interface DigestSource {
  /** The upload as it is now, or null. */
  find(id: string): Promise<StoredUpload | null>
  /** Its durable bytes. */
  read(upload: StoredUpload, start: number, end: number): AsyncIterable<Buffer>
  /** Takes the SHA-256 (hex) of the whole file. */
  keep(id: string, sha256: string): Promise<void>
  onError(error: unknown, where: string): void
}

interface Follower {
  readonly hash: ThreadHash
  position: number
  running: Promise<void> | null
  /** It was asked to follow while it was under way. */
  again: boolean
}

interface Waiting {
  readonly id: string
  readonly wake: () => void
}

/**
 * SHA-256 of whole files. For each upload a reader follows the unbroken run of chunks in the background, so that little is
 * left to read when it completes. Its state is not kept anywhere: after a restart it begins anew.
 */
export class Digests {
  readonly #source: DigestSource
  readonly #thread = new HashThread()
  readonly #followers = new Map<string, Follower>()
  /** Followers that wait for their turn: those that somebody waits for, and the others. */
  #awaited: Waiting[] = []
  #waiting: Waiting[] = []
  readonly #runs = new Set<Promise<void>>()
  #turns = 0
  #stopped = false

  constructor(source: DigestSource) {
    this.#source = source
  }

  /**
   * Follows an upload as far as it is durable. Resolves when it has caught up; never rejects. `awaited`: somebody waits for
   * the digest, so it comes before those that nobody waits for.
   */
  follow(id: string, { awaited = false } = {}): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    let follower = this.#followers.get(id)
    if (follower === undefined) {
      follower = { hash: this.#thread.create(), position: 0, running: null, again: false }
      this.#followers.set(id, follower)
    }
    follower.again = true
    if (follower.running === null) {
      const run = this.#run(id, follower, awaited).finally(() => this.#runs.delete(run))
      this.#runs.add(run)
      follower.running = run
    } else if (awaited) this.#prefer(id)
    return follower.running
  }

  /** Forgets an upload that is gone. */
  drop(id: string): void {
    this.#followers.get(id)?.hash.drop()
    this.#followers.delete(id)
  }

  /** Reads no more; resolves when no read is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const { wake } of [...this.#awaited.splice(0), ...this.#waiting.splice(0)]) wake()
    await Promise.all(this.#runs)
    this.#followers.clear()
    await this.#thread.stop()
  }

  async #run(id: string, follower: Follower, awaited: boolean): Promise<void> {
    await this.#turn(id, awaited)
    try {
      while (follower.again) {
        follower.again = false
        await this.#catchUp(id, follower)
      }
    } catch (error) {
      // What was fed to the hash is unknown now: the next call begins anew.
      const dropped = this.#dropped(id, follower)
      this.#dropThis(id, follower)
      if (!dropped) this.#source.onError(error, `the checksum of upload ${id}`)
    } finally {
      follower.running = null
      this.#endTurn()
    }
  }

  async #catchUp(id: string, follower: Follower): Promise<void> {
    for (;;) {
      const upload = await this.#source.find(id)
      if (this.#dropped(id, follower) || upload === null || isGone(upload) || upload.digest !== null) {
        this.#dropThis(id, follower)
        return
      }
      const full = upload.ledger.isFull(gridOf(upload))
      const end = full ? (upload.size ?? 0) : chunkStart(gridOf(upload), upload.ledger.run)
      if (follower.position < end) {
        for await (const buffer of this.#source.read(upload, follower.position, end)) {
          if (this.#dropped(id, follower)) return
          follower.position += buffer.length
          await follower.hash.update(buffer)
        }
      } else if (full) {
        await this.#source.keep(id, await follower.hash.digest())
        this.#dropThis(id, follower)
        return
      } else return
    }
  }

  #dropped(id: string, follower: Follower): boolean {
    return this.#stopped || this.#followers.get(id) !== follower
  }

  async #turn(id: string, awaited: boolean): Promise<void> {
    const line = awaited ? this.#awaited : this.#waiting
    if (this.#turns < PARALLEL) this.#turns += 1
    // Whoever ends hands its turn on: nobody can come in between.
    else if (!this.#stopped) await new Promise<void>((wake) => line.push({ id, wake }))
  }

  /** Has one that waits for its turn wait with those that somebody waits for. */
  #prefer(id: string): void {
    const found = this.#waiting.filter((one) => one.id === id)
    if (found.length === 0) return
    this.#waiting = this.#waiting.filter((one) => one.id !== id)
    this.#awaited.push(...found)
  }

  #endTurn(): void {
    const next = this.#awaited.shift() ?? this.#waiting.shift()
    if (next === undefined) this.#turns -= 1
    else next.wake()
  }

  /** Drops this follower, and no later one of the same upload. */
  #dropThis(id: string, follower: Follower): void {
    follower.hash.drop()
    if (this.#followers.get(id) === follower) this.#followers.delete(id)
  }
}
