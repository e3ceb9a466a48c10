import { UploadError } from '../../errors.ts'
import { answered } from '../../redis/script.ts'
import type { LockScope, MoveOptions, UploadLock } from '../locker.ts'
import type { LockScripts, Move, Standing } from './lock-scripts.ts'
import type { Party } from './party.ts'
import { locked, Turn } from './turn.ts'

/** What a {@link RedisLock} needs of its locker. */
export interface RedisLockOptions {
  readonly scripts: LockScripts
  readonly commandTimeoutMs: number
  /** Ends the party, here and in Redis. It never throws. */
  readonly letGo: (party: Party) => Promise<void>
}

/** A lock that is, or was, held in Redis. */
export class RedisLock implements UploadLock {
  readonly #party: Party
  readonly #options: RedisLockOptions
  #released: Promise<void> | null = null

  constructor(party: Party, options: RedisLockOptions) {
    this.#party = party
    this.#options = options
  }

  get token(): string {
    return this.#party.token
  }

  get scope(): LockScope {
    return this.#party.scope
  }

  get held(): boolean {
    return this.#party.held
  }

  async moveTo(number: number, options: MoveOptions): Promise<void> {
    const party = this.#party
    const { chunks } = party
    if (this.scope.kind !== 'append') throw new Error(`Only an append moves, not a lock of scope "${this.scope.kind}".`)
    if (!this.held) throw locked()
    if (party.turn !== null) throw new Error('This append waits for a chunk already.')
    const isThere = chunks.has(number)
    const dropped = options.keep === true ? [] : [...chunks].filter((held) => held !== number)
    for (const chunk of dropped) chunks.delete(chunk)
    if (isThere || options.signal?.aborted) {
      if (dropped.length > 0) await this.#stay()
      if (isThere) return
      throw locked(options.signal?.reason)
    }
    const turn = new Turn(options.waitMs, options.signal)
    party.turn = turn
    party.move += 1
    void this.#enter(number, options.waitMs > 0)
    try {
      await turn.over
    } catch (error) {
      // Its wish may be in the queue still, or be granted just now.
      const stays = party.turn === turn && !party.isOver ? this.#stay().catch(() => {}) : undefined
      // Before the refusal is told, the wish is out of the queue, unless Redis is away.
      if (error instanceof UploadError && error.code === 'UPLOAD_LOCKED') await stays
      throw error
    } finally {
      if (party.turn === turn) party.turn = null
    }
    chunks.add(number)
  }

  async giveBack(number: number): Promise<void> {
    const { scripts, commandTimeoutMs } = this.#options
    const { key, token, chunks } = this.#party
    if (!chunks.delete(number)) return
    // Where Redis is away it is given back by the next move, or with the lock.
    await answered(scripts.drop(key, token, number), commandTimeoutMs).catch(() => {})
  }

  release(): Promise<void> {
    this.#released ??= this.#options.letGo(this.#party)
    return this.#released
  }

  /** Sends the wish for a chunk, and hears how it stands. */
  async #enter(chunk: number, waits: boolean): Promise<void> {
    const party = this.#party
    const { turn, move } = party
    try {
      const standing = await this.#send({ chunk, move, waits })
      if (party.turn !== turn) return
      if (!waits && standing.move !== move) {
        party.turn = null
        turn?.refuse(locked())
      }
      party.heard(standing, null)
    } catch (error) {
      turn?.refuse(error as Error)
    }
  }

  /** Holds what it holds, and waits for nothing. */
  async #stay(): Promise<void> {
    await this.#send(null)
  }

  #send(to: Move | null): Promise<Standing> {
    const { scripts, commandTimeoutMs } = this.#options
    const { key, token, chunks } = this.#party
    return answered(scripts.move(key, token, chunks, to), commandTimeoutMs)
  }
}
