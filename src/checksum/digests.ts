import { chunkCount, chunkStart } from '../grid.ts'
import { gridOf, isGone, type StoredUpload } from '../upload.ts'
import { DigestFeed } from './digest-feed.ts'
import { Follower } from './follower.ts'
import { HashThread } from './hash-thread.ts'

/** How many files are read back at once. */
const PARALLEL = 2
/** Bytes of a file that the thread reads before others have their turn. */
const STRETCH_BYTES = 8 * 1024 * 1024
/** How many uploads are remembered; another is read from its beginning. */
const CAPACITY = 10_000

/** What {@link Digests} needs of its surroundings. */
export interface DigestSource {
  /** The upload as it is now, or null. */
  find(id: string): Promise<StoredUpload | null>
  /** Its durable bytes. */
  read(upload: StoredUpload, start: number, end: number): AsyncIterable<Buffer>
  /** The files that they are or may be in, which the thread reads by itself; none where they lie in no file. */
  paths(upload: StoredUpload): readonly string[]
  /** Takes the SHA-256 (hex) of the whole file. */
  keep(id: string, sha256: string): Promise<void>
  onError(error: unknown, where: string): void
}

interface Waiting {
  readonly id: string
  readonly wake: () => void
}

/**
 * SHA-256 of whole files. Chunks that come in order are hashed as they come; others are read back, by a reader that follows the
 * unbroken run of chunks in the background, so that little is left to read when the upload completes. Its state is not kept
 * anywhere: after a restart it begins anew.
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
    const follower = this.#followers.get(id) ?? this.#begin(id)
    follower.again = true
    if (awaited) follower.awaited = true
    if (follower.running === null) {
      const run = this.#run(id, follower).finally(() => this.#runs.delete(run))
      this.#runs.add(run)
      follower.running = run
    } else if (awaited) this.#prefer(id)
    return follower.running
  }

  /** Follows an upload in the background, if there is more of it than is hashed already. */
  advance(upload: StoredUpload): void {
    const { id } = upload.manifest
    const hashed = this.#followers.get(id)?.chunks ?? 0
    if (hashed < runOf(upload)) void this.follow(id)
  }

  /** The digest of an upload whose every chunk was hashed already; null where something has to be read for it. */
  async ready(upload: StoredUpload): Promise<string | null> {
    const follower = this.#followers.get(upload.manifest.id)
    if (follower === undefined || follower.running !== null || follower.feed !== null) return null
    const isWhole = upload.ledger.isFull(gridOf(upload)) && follower.chunks === runOf(upload)
    if (!isWhole || !follower.agreesWith(upload)) return null
    // What goes wrong is told to whoever follows it next.
    return follower.digest().catch(() => null)
  }

  /**
   * Has the bytes from `offset` on hashed as they come, if everything before them is hashed already. Whoever feeds ends it, and
   * nobody else does so meanwhile.
   */
  feed(upload: StoredUpload, offset: number): DigestFeed | null {
    const { id } = upload.manifest
    if (this.#stopped) return null
    const follower = this.#followers.get(id) ?? (offset === 0 ? this.#begin(id) : null)
    if (follower === null || follower.running !== null || follower.feed !== null) return null
    return follower.standsAt(upload, offset) ? new DigestFeed(follower) : null
  }

  /** Forgets an upload that is gone. */
  drop(id: string): void {
    const follower = this.#followers.get(id)
    if (follower !== undefined) this.#dropThis(id, follower)
  }

  /** Reads no more; resolves when no read is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const { wake } of [...this.#awaited.splice(0), ...this.#waiting.splice(0)]) wake()
    // Bodies may still come: what they bring must not begin another thread.
    for (const { feed } of this.#followers.values()) feed?.end()
    await Promise.all(this.#runs)
    this.#followers.clear()
    await this.#thread.stop()
  }

  #begin(id: string): Follower {
    const follower = new Follower(this.#thread.create())
    this.#followers.set(id, follower)
    if (this.#followers.size > CAPACITY) this.#dropOldest()
    return follower
  }

  #dropOldest(): void {
    for (const [id, follower] of this.#followers) {
      if (follower.running !== null || follower.feed !== null) continue
      this.#dropThis(id, follower)
      return
    }
  }

  async #run(id: string, follower: Follower): Promise<void> {
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
      follower.awaited = false
    }
  }

  async #catchUp(id: string, follower: Follower): Promise<void> {
    let hasTurn = false
    try {
      for (;;) {
        const upload = await this.#source.find(id)
        if (this.#dropped(id, follower) || upload === null || isGone(upload) || upload.digest !== null) {
          this.#dropThis(id, follower)
          return
        }
        if (follower.chunks < runOf(upload)) {
          if (hasTurn) await this.#readBack(id, follower, upload)
          // That may take a while: then it is looked at again.
          else await this.#turn(id, follower).then(() => (hasTurn = true))
        } else {
          if (upload.ledger.isFull(gridOf(upload))) await this.#keep(id, follower, upload)
          return
        }
      }
    } finally {
      if (hasTurn) this.#endTurn()
    }
  }

  async #keep(id: string, follower: Follower, upload: StoredUpload): Promise<void> {
    // Where it is not of what stands now, the next call begins anew.
    if (follower.agreesWith(upload)) await this.#source.keep(id, await follower.digest())
    this.#dropThis(id, follower)
  }

  async #readBack(id: string, follower: Follower, upload: StoredUpload): Promise<void> {
    if (this.#dropped(id, follower)) return
    const run = runOf(upload)
    // Somebody else has recorded what is being fed: it is his that counts.
    follower.feed?.end()
    follower.back()
    const grid = gridOf(upload)
    const from = chunkStart(grid, follower.chunks)
    const end = upload.size === null ? chunkStart(grid, run) : Math.min(chunkStart(grid, run), upload.size)
    const at = await this.#readInThread(id, follower, upload, from, end)
    if (this.#dropped(id, follower)) return
    // What the thread cannot read is read by storage, which can say why.
    for await (const buffer of at < end ? this.#source.read(upload, at, end) : []) {
      if (this.#dropped(id, follower)) return
      await follower.hash.update(buffer)
    }
    for (let number = follower.chunks; number < run; number += 1) {
      follower.cover(upload.ledger.chunks.get(number)?.sha256 ?? '')
    }
  }

  /** Has the thread read bytes `[start, end)` as far as they lie in a file. Returns how far that is. */
  async #readInThread(
    id: string,
    follower: Follower,
    upload: StoredUpload,
    start: number,
    end: number,
  ): Promise<number> {
    const paths = this.#source.paths(upload)
    let at = start
    while (paths.length > 0 && at < end && !this.#dropped(id, follower)) {
      const stretch = Math.min(end, at + STRETCH_BYTES)
      at = await follower.hash.read(paths, at, stretch)
      if (at < stretch) break
    }
    return at
  }

  #dropped(id: string, follower: Follower): boolean {
    return this.#stopped || this.#followers.get(id) !== follower
  }

  async #turn(id: string, follower: Follower): Promise<void> {
    const line = follower.awaited ? this.#awaited : this.#waiting
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
    follower.feed?.end()
    follower.hash.drop()
    if (this.#followers.get(id) === follower) this.#followers.delete(id)
  }
}

/** Chunks from the first to the first that is missing. */
function runOf({ ledger, manifest, size }: StoredUpload): number {
  const grid = { chunkSize: manifest.chunkSize, size }
  return ledger.isFull(grid) ? (chunkCount(grid) ?? 0) : ledger.run
}
