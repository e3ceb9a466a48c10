import { randomUUID } from 'node:crypto'
import type { LockRequest, LockScope } from '../locker.ts'
import type { Standing } from './lock-scripts.ts'
import { locked, Turn } from './turn.ts'

/** How often somebody looks again who may have missed a message, while none arrive, ms. */
const POLL_MS = 250
/** How often a holder looks, then, whether it was asked, ms. */
const ASKED_POLL_MS = 1000
/** Added to every look, so that not all look at once, and none too early, ms. */
const MIN_JITTER_MS = 5
const MAX_JITTER_MS = 100

/** What a {@link Party} needs of its process. */
export interface PartyHost {
  readonly leaseMs: number
  /** Whether messages arrive. It is called whenever one is hoped for. */
  isReachable(): boolean
  /** Enters the wish of one who waited and is not in Redis any more. */
  enterAgain(party: Party): void
  /** Plans the party's next look. */
  plan(party: Party): void
  /** Called once when a lock is lost. */
  lost(party: Party): void
}

/**
 * One token: a lock that is wanted, or held, as far as this process knows. It has one lease, of whose end by the local
 * clock it is sure: the time counts from before a renewal was sent. The clock runs on while the process is stopped.
 */
export class Party {
  readonly id: string
  readonly key: string
  readonly token = randomUUID()
  readonly request: LockRequest
  /** The chunks it holds. */
  readonly chunks = new Set<number>()
  /** The wait for the lock, or for an append's next chunk. */
  turn: Turn | null = null
  /** What a script that did more than acquiring it replied. */
  reply: readonly unknown[] = []
  /** The number of the last move it asked for. */
  move = 0
  /** Whether a command is under way that says how it stands. */
  isLooking = false
  /** Whether a step is under way that may give it back in Redis. */
  isLeaving = false
  /** Whether Redis may know the token. */
  isKnown = true
  /** When it looks next: to renew, or because something may have happened. By `performance.now()`. */
  renewAt = Number.POSITIVE_INFINITY
  wakeAt = Number.POSITIVE_INFINITY
  #endsAt = 0
  #status: 'wanted' | 'held' | 'over' = 'wanted'
  #wasAsked = false
  #mustLookAgain = false
  readonly #host: PartyHost

  constructor(host: PartyHost, id: string, key: string, request: LockRequest) {
    this.#host = host
    this.id = id
    this.key = key
    this.request = request
    this.turn = new Turn(request.waitMs, request.signal)
  }

  get scope(): LockScope {
    return this.request.scope
  }

  get held(): boolean {
    return this.#status === 'held' && performance.now() < this.#endsAt
  }

  get isOver(): boolean {
    return this.#status === 'over'
  }

  /** When there is something to do next. By `performance.now()`. */
  get dueAt(): number {
    const endsAt = this.#status === 'held' && !this.isLeaving ? this.#endsAt : Number.POSITIVE_INFINITY
    return this.isLooking ? endsAt : Math.min(endsAt, this.renewAt, this.wakeAt)
  }

  /** Its wish was sent at `at`: the lease it gets begins then at the earliest. */
  sentAt(at: number): void {
    this.#endsAt = at + this.#host.leaseMs
    this.renewAt = at + this.#host.leaseMs / 3
  }

  /**
   * Redis has said how it stands.
   *
   * @param renewedAt When the command was sent, where it was one that renews the lease.
   */
  heard(standing: Standing, renewedAt: number | null): void {
    if (this.isOver) return
    const isGone = !standing.waits && !standing.holds
    if (this.#status === 'held') {
      if (isGone) this.isKnown = false
      if (isGone ? !this.isLeaving : this.isPast()) return this.lose()
    } else if (isGone) {
      return this.#missing()
    }
    if (renewedAt !== null && !isGone) {
      this.#endsAt = Math.max(this.#endsAt, renewedAt + this.#host.leaseMs)
      this.renewAt = renewedAt + this.#host.leaseMs / 3
    }
    if (standing.holds) this.granted()
    if (standing.asked) this.asked()
    this.moved(standing.move)
    this.#plan(standing.firstEndsInMs)
  }

  granted(): void {
    if (this.#status !== 'wanted') return
    if (performance.now() >= this.#endsAt) {
      // Granted long ago, and expired since, or not: Redis knows.
      return this.lookAgain()
    }
    this.#status = 'held'
    if (this.scope.kind === 'chunk') this.chunks.add(this.scope.number)
    this.#endTurn()
    if (this.#wasAsked) this.#ask()
  }

  /** Its move number `move` was granted, by the numbers of this party; an older one says nothing. */
  moved(move: number): void {
    if (this.#status === 'held' && move === this.move) this.#endTurn()
  }

  asked(): void {
    if (this.#wasAsked) return
    this.#wasAsked = true
    if (this.#status === 'held') this.#ask()
  }

  /** Something may have happened that no message told of. What is being looked up now may be from before. */
  lookAgain(): void {
    if (this.turn === null && this.request.onAsked === undefined) return
    this.#mustLookAgain = this.isLooking
    this.wakeAt = 0
    this.#host.plan(this)
  }

  /** A command failed: whoever waits is told; a lease that is held has time for another try. */
  failed(error: Error): void {
    this.turn?.refuse(error)
    this.renewAt = performance.now() + this.#host.leaseMs / 10
    this.wakeAt = Number.POSITIVE_INFINITY
    this.#host.plan(this)
  }

  /** Whether the lease of a holder has ended by the local clock. */
  isPast(): boolean {
    return this.#status === 'held' && performance.now() >= this.#endsAt
  }

  lose(): void {
    this.end()
    this.#host.lost(this)
  }

  /** It wants and holds nothing any more. */
  end(): void {
    this.#status = 'over'
    this.turn?.refuse(locked())
  }

  /** Later, so that a lock reaches its holder before the question to let it go does. */
  #ask(): void {
    const { onAsked } = this.request
    if (onAsked === undefined) return
    setImmediate(() => {
      if (this.held) void callSafely(onAsked)
    })
  }

  #missing(): void {
    if (this.request.waitMs > 0) return this.#host.enterAgain(this)
    this.isKnown = false
    this.turn?.refuse(locked())
  }

  #endTurn(): void {
    const { turn } = this
    this.turn = null
    turn?.grant()
  }

  #plan(firstEndsInMs: number): void {
    const now = performance.now()
    const { leaseMs } = this.#host
    const jitterMs = MIN_JITTER_MS + Math.random() * Math.min(MAX_JITTER_MS, leaseMs / 10)
    this.wakeAt = Number.POSITIVE_INFINITY
    if (this.turn !== null) {
      this.turn.queue()
      // A message wakes it, or the end of a lease of one that was killed, and sends none.
      this.wakeAt = now + jitterMs + Math.min(firstEndsInMs, this.#host.isReachable() ? leaseMs : POLL_MS)
    } else if (this.request.onAsked !== undefined && !this.#wasAsked && !this.#host.isReachable()) {
      this.wakeAt = now + jitterMs + ASKED_POLL_MS
    }
    if (this.#mustLookAgain) this.wakeAt = now
    this.#mustLookAgain = false
    this.#host.plan(this)
  }
}

/** Calls what belongs to somebody else: where it fails, nothing breaks here. */
export async function callSafely(callback: () => unknown): Promise<void> {
  try {
    await callback()
  } catch {}
}
