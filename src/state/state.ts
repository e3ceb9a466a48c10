import type { LockRequest, UploadLock, UploadLocker } from '../locks/locker.ts'
import type { Change, Upload } from '../upload.ts'
import type { Accounts } from './accounts.ts'
import type { RateCounter } from './rate-counter.ts'

/** How a commit stands: who makes it, and until when it keeps the upload alive. */
export interface CommitOptions {
  /** The lock under which it is made: it must be the live one. Null for what needs none (a digest, a sign of life). */
  readonly lock: UploadLock | null
  /** The new expiry, ms since the epoch; it never moves back. */
  readonly expiresAt: number
  /** Whether the lock is given back in the same step, where the commit succeeds. @default false */
  readonly release?: boolean
}

/** How an upload is looked up. */
export interface FindOptions {
  /**
   * Whether what this process saw last will do. What never changes is right in it, and what only grows is not too large;
   * the rest may be old. @default false
   */
  readonly recent?: boolean
}

/** A lock that was got, and the upload as it is under it; null when nothing is known of it here. */
export interface Locked {
  readonly lock: UploadLock
  readonly upload: Upload | null
}

/**
 * Fast, shared knowledge of uploads: the ledgers that requests read, the locks, the expiry index. It may forget
 * everything at any time; storage is the truth, and {@link State.merge} brings it back.
 */
export interface State {
  readonly locks: UploadLocker
  /** What each owner has unfinished. */
  readonly accounts: Accounts
  /** Counts for all processes; null where this one is all there are. */
  readonly rates: RateCounter | null
  /**
   * How far the time that all processes share is ahead of this one's clock, ms; null while it is not known, and then
   * nothing expires here.
   */
  readonly skewMs: number | null
  /** Begins, with this process's clock (ms since the epoch). What cannot be had yet is no failure. */
  open(now: () => number): Promise<void>
  /** The upload, or null when nothing is known of it here. */
  find(id: string, options?: FindOptions): Promise<Upload | null>
  /**
   * Acquires a lock and finds the upload under it, in one step.
   * @throws UploadError `UPLOAD_LOCKED` as {@link UploadLocker.acquire}
   */
  lock(id: string, request: LockRequest): Promise<Locked>
  /**
   * Merges an upload into what is known here (per chunk set-if-absent) and returns the union. Of one that others may know
   * already {@link State.merge} does it.
   */
  adopt(upload: Upload): Promise<Upload>
  /**
   * Merges what storage knows, and returns the union; null where storage knows nothing. What is forgotten here while
   * storage is asked, `load` may have been too early to see: then storage is asked again. So what is adopted is never older
   * than what was forgotten.
   */
  merge(id: string, load: () => Promise<Upload | null>): Promise<Upload | null>
  /**
   * Applies changes in one atomic step, if the lock is the live one. Returns the upload after it, or null when nothing
   * is known of it here (adopt it from storage, then commit again).
   * @throws UploadError `UPLOAD_LOCKED` when the lock is not the live one, and what {@link applyChange} throws.
   */
  commit(id: string, changes: readonly Change[], options: CommitOptions): Promise<Upload | null>
  /** Ids of uploads that may expire (see `mayExpire`) and whose expiry is at or before `at`: a hint, the time is checked again under the lock. */
  due(at: number): Promise<string[]>
  /** Drops what is known. */
  forget(id: string): Promise<void>
  /** Whether state answers, and takes writes. @throws UploadError `STATE_UNAVAILABLE` */
  check(): Promise<void>
  close(): Promise<void>
}
