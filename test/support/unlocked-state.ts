import type { LockRequest, LockScope, MoveOptions, UploadLock } from '../../src/locks/locker.ts'
import { type AcquiredBy, RedisLocker } from '../../src/locks/redis-locker.ts'
import type { AcquireScript } from '../../src/locks/redis/lock-scripts.ts'
import { RedisState, type RedisStateOptions } from '../../src/state/redis/index.ts'

/**
 * A state whose locks keep nobody out: whoever asks gets a live token of its own at once, so that every commit finds its
 * lock to be the live one. It is what is left where every lease has failed and every node believes it owns the upload.
 */
export class UnlockedState extends RedisState {
  override readonly locks: RedisLocker

  constructor(options: RedisStateOptions) {
    super(options)
    this.locks = new UnlockedLocker(options)
  }
}

/** Every lock is one on a chunk of its own, which nobody else ever wants. */
class UnlockedLocker extends RedisLocker {
  #last = 0

  override async acquireBy(id: string, request: LockRequest, script?: AcquireScript): Promise<AcquiredBy> {
    // Nodes draw from ranges of their own.
    if (this.#last === 0) this.#last = Math.floor(Math.random() * 2 ** 20) * 2 ** 20
    const scope = { kind: 'chunk', number: (this.#last += 1) } as const
    const { lock, reply } = await super.acquireBy(id, { ...request, scope }, script)
    return { lock: new UnlockedLock(lock, request.scope), reply }
  }
}

class UnlockedLock implements UploadLock {
  readonly scope: LockScope
  readonly #lock: UploadLock

  constructor(lock: UploadLock, scope: LockScope) {
    this.#lock = lock
    this.scope = scope
  }

  get token(): string {
    return this.#lock.token
  }

  get held(): boolean {
    return this.#lock.held
  }

  async moveTo(_number: number, _options: MoveOptions): Promise<void> {}

  async giveBack(_number: number): Promise<void> {}

  release(): Promise<void> {
    return this.#lock.release()
  }
}
