import type { Lock, RequestRelease } from '@tus/utils'
import type { UploadLock, UploadLocker } from './locker.ts'

/** @tus/server's `Lock` over one of our lockers: the whole upload, and those in the way are asked to let go. */
export class WholeLock implements Lock {
  readonly #locker: UploadLocker
  readonly #id: string
  readonly #waitMs: number
  #lock: UploadLock | null = null

  /** @param waitMs How long `lock` waits, ms. */
  constructor(locker: UploadLocker, id: string, waitMs: number) {
    this.#locker = locker
    this.#id = id
    this.#waitMs = waitMs
  }

  /** @throws UploadError `UPLOAD_LOCKED` when the wait is over, or when `signal` aborts. */
  async lock(signal: AbortSignal, cancelReq: RequestRelease): Promise<void> {
    this.#lock = await this.#locker.acquire(this.#id, {
      scope: { kind: 'whole' },
      waitMs: this.#waitMs,
      signal,
      ask: true,
      onAsked: () => void askSafely(cancelReq),
    })
  }

  /** Gives the lock back; does nothing where it was never got. */
  async unlock(): Promise<void> {
    const lock = this.#lock
    this.#lock = null
    await lock?.release()
  }
}

/** The holder is @tus/server's request: where it fails to stop, those who wait go on waiting, and nothing else breaks. */
async function askSafely(cancelReq: RequestRelease): Promise<void> {
  try {
    await cancelReq()
  } catch {}
}
