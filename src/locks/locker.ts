import type { Lock, Locker } from '@tus/utils'

/**
 * What a lock on an upload covers.
 *
 * - `append`: the one tus writer. It also holds the chunk it is filling, and moves on with {@link UploadLock.moveTo}.
 * - `chunk`: one writer of one chunk. Runs beside an append, unless that is filling this very chunk.
 * - `whole`: everything: complete, cancel, expiry. Newcomers queue behind a waiting `whole`.
 */
export type LockScope =
  | { readonly kind: 'append' }
  | {
      readonly kind: 'chunk'
      /** From 0. */
      readonly number: number
    }
  | { readonly kind: 'whole' }

/** How a lock is asked for. */
export interface LockRequest {
  readonly scope: LockScope
  /** How long to wait, ms. 0: not at all. */
  readonly waitMs: number
  /** Ends the waiting early: the client has gone. */
  readonly signal?: AbortSignal
  /** Whether those in the way are asked to let go. @default false */
  readonly ask?: boolean
  /** Called when somebody asks the holder to let go; once at most. */
  readonly onAsked?: () => void
  /** Called when the lock is lost, whatever the reason: nothing can be committed under it any more. Once at most. */
  readonly onLost?: () => void
}

/** How an append takes its next chunk. */
export interface MoveOptions {
  /** How long to wait, ms. */
  readonly waitMs: number
  /** Ends the waiting early. */
  readonly signal?: AbortSignal
  /** Whether the chunks held so far are kept: they are still being stored. @default false */
  readonly keep?: boolean
}

/** A lock that is held. */
export interface UploadLock {
  /** Random; a commit is accepted only from the live lock's own token. */
  readonly token: string
  readonly scope: LockScope
  /** Whether it is still held, as far as this process knows. */
  readonly held: boolean
  /**
   * Of an `append`: takes chunk `number`, waiting for a JSON writer that is at it. The chunks held so far are given back,
   * unless `keep`. It passes by a waiting `whole`, which waits for this very append.
   * @throws UploadError `UPLOAD_LOCKED` after `waitMs`, or when `signal` aborts; the append itself is still held then.
   */
  moveTo(number: number, options: MoveOptions): Promise<void>
  /** Of an `append`: gives back one chunk that it kept. Does nothing where it does not hold it. */
  giveBack(number: number): Promise<void>
  /** Gives it back; a second time does nothing. Only after every write under it has settled. */
  release(): Promise<void>
}

/**
 * Locks on uploads. It is @tus/server's `Locker` too (`newLock` is a `whole` that asks), so it drops into a stock
 * @tus/server.
 */
export interface UploadLocker extends Locker {
  /** How long a lock outlives a holder that was killed, at the most, ms. */
  readonly leaseMs: number
  /**
   * Waits for a lock, first come first served.
   * @throws UploadError `UPLOAD_LOCKED` after `waitMs`, or when `signal` aborts.
   */
  acquire(id: string, request: LockRequest): Promise<UploadLock>
  newLock(id: string): Lock
}
