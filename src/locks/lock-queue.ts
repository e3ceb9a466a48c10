import type { LockScope } from './locker.ts'

/** Who holds, or is about to hold, a part of one upload. */
export interface Holder {
  readonly token: string
  readonly scope: LockScope
  /** The chunks nobody else may write: a chunk lock's own, or those an append is filling and storing. */
  readonly chunks: Set<number>
  /** Taken out when it is called: nobody is asked twice. */
  onAsked: (() => unknown) | undefined
}

/** A wish to hold something: a lock, or, with `moves`, another chunk for an append that is held already. */
export interface Claim {
  readonly holder: Holder
  /** The chunk it comes with. */
  readonly chunk: number | null
  readonly moves: boolean
  /** Whether those in the way are asked to let go. */
  readonly ask: boolean
  /** Both are called at most once, and run no code of a caller: the queue is never re-entered. */
  readonly grant: () => void
  readonly refuse: () => void
}

/**
 * The locks of one upload: who holds what, and who waits, in order. It knows no time and no promise; every call leaves
 * the queue at rest, with everything granted that can be.
 */
export class LockQueue {
  readonly #live = new Map<string, Holder>()
  readonly #waiting = new Set<Claim>()
  readonly #onIdle: () => void
  // There is one append at most, so one claim at most that moves.
  #moving: Claim | null = null

  /** @param onIdle Called whenever nobody holds and nobody waits any more. */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle
  }

  /** Whether this is the token of a lock that is held now. */
  isLive(token: string): boolean {
    return this.#live.has(token)
  }

  /** Whether an append waits for its next chunk. */
  get isMoving(): boolean {
    return this.#moving !== null
  }

  /** Grants a claim, or lets it wait in turn. */
  enter(claim: Claim): void {
    this.#waiting.add(claim)
    if (claim.moves) this.#moving = claim
    this.#settle()
    if (!claim.ask || !this.#waiting.has(claim)) return
    for (const live of this.#live.values()) if (excludes(live, claim)) this.#ask(live)
  }

  /** Forgets a claim that waits, and wakes those it was keeping. */
  leave(claim: Claim): void {
    if (!this.#remove(claim)) return
    this.#settle()
    this.#rest()
  }

  /** Gives back chunks of a holder, which stays. */
  dropChunks(holder: Holder, numbers: Iterable<number>): void {
    for (const number of numbers) holder.chunks.delete(number)
    this.#settle()
  }

  /** Gives back everything a holder has. A second time does nothing. */
  release(holder: Holder): void {
    if (!this.#live.delete(holder.token)) return
    const moving = this.#moving
    if (moving !== null && moving.holder === holder) {
      this.#remove(moving)
      moving.refuse()
    }
    this.#settle()
    this.#rest()
  }

  #settle(): void {
    let wholeWaits = false
    for (const claim of this.#waiting) {
      // Nobody overtakes a waiting whole but the append it waits for. This is also what keeps chunk writers behind that
      // whole from blocking the append: they hold nothing, and a move waits for holders only.
      if (wholeWaits && this.#moving === null) return
      if ((wholeWaits && !claim.moves) || this.#isTaken(claim)) {
        if (claim.holder.scope.kind === 'whole') wholeWaits = true
      } else {
        this.#grant(claim)
      }
    }
  }

  #isTaken(claim: Claim): boolean {
    for (const live of this.#live.values()) if (excludes(live, claim)) return true
    return false
  }

  #grant(claim: Claim): void {
    const { holder } = claim
    this.#remove(claim)
    if (claim.chunk !== null) holder.chunks.add(claim.chunk)
    this.#live.set(holder.token, holder)
    claim.grant()
    for (const waiting of this.#waiting) {
      if (!waiting.ask || !excludes(holder, waiting)) continue
      this.#ask(holder)
      return
    }
  }

  #ask(holder: Holder): void {
    const { onAsked } = holder
    if (onAsked === undefined) return
    holder.onAsked = undefined
    // Later, because a holder may well answer by releasing, and the queue is in the middle of something.
    queueMicrotask(() => {
      if (this.isLive(holder.token)) void callSafely(onAsked)
    })
  }

  #remove(claim: Claim): boolean {
    if (this.#moving === claim) this.#moving = null
    return this.#waiting.delete(claim)
  }

  #rest(): void {
    if (this.#live.size === 0 && this.#waiting.size === 0) this.#onIdle()
  }
}

/** Whether a holder keeps a claim from being granted: the rules of exclusion, all of them. */
function excludes(live: Holder, claim: Claim): boolean {
  if (claim.chunk !== null && live.chunks.has(claim.chunk)) return true
  if (claim.moves) return false
  const held = live.scope.kind
  const wanted = claim.holder.scope.kind
  return held === 'whole' || wanted === 'whole' || (held === 'append' && wanted === 'append')
}

/** A holder that fails to hear the question is its own trouble: it goes on holding, and the others go on waiting. */
async function callSafely(callback: () => unknown): Promise<void> {
  try {
    await callback()
  } catch {}
}
