/** One unfinished upload in its owner's account. */
export interface Holding {
  readonly id: string
  /** Bytes that are reserved for it. */
  readonly bytes: number
  /** When it was begun, ms since the epoch: an account is read in this order. */
  readonly at: number
  /** From when on it may be dropped without a look at the upload, ms since the epoch. */
  readonly until: number
}

/** A holding as it is entered. */
export interface NewHolding extends Holding {
  /** Whether more stays where more is reserved: the length is not known yet. @default false */
  readonly atLeast?: boolean
}

/** What one owner may have unfinished; null is no limit. */
export interface AccountLimits {
  readonly uploads: number | null
  readonly bytes: number | null
}

/** What a reservation was refused for. */
export interface Excess {
  readonly of: 'uploads' | 'bytes'
  readonly limit: number
  /** By the owner's other uploads. */
  readonly used: number
  readonly requested: number
}

/** A place in an account: what comes after it was begun before it. */
export type AccountPlace = Pick<Holding, 'at' | 'id'>

/**
 * What each owner has unfinished: an index, and what quotas are counted by. It may be forgotten at any time, as all that
 * state knows; a walk over storage makes it whole again. An upload is entered before it is told of anywhere else, and
 * released after its end is recorded: whatever a kill interrupts, there is an entry too many, never one too few. Entries
 * bear the upload's id: entering twice is entering once, and releasing twice does nothing.
 */
export interface Accounts {
  /** Whether nothing has been forgotten since a walk has come to its end. */
  isWhole(): Promise<boolean>
  /** A walk over storage begins. Returns what {@link Accounts.endWalk} wants. */
  beginWalk(): Promise<string>
  /** It has come to its end: what is in storage was entered, unless something was forgotten meanwhile. */
  endWalk(walk: string): Promise<void>
  /**
   * Enters a holding, or changes one that stands, where the limits leave room for it beside the owner's others: in one
   * step, for all processes. Null when it is entered. What is overdue (by `now`) is dropped before anything is refused.
   */
  reserve(owner: string, holding: NewHolding, limits: AccountLimits, now: number): Promise<Excess | null>
  /** Enters a holding of which storage says that it is there, whatever the limits. */
  enter(owner: string, holding: NewHolding): Promise<void>
  release(owner: string, id: string): Promise<void>
  /** What the owner has, the newest first, from behind a place on. */
  page(owner: string, after: AccountPlace | null, limit: number): Promise<readonly Holding[]>
}
