import type { LockRequest, LockScope, MoveOptions, UploadLock } from '../../../src/locks/locker.ts'
import type { AcquiredBy } from '../../../src/locks/redis-locker.ts'

type Acquire = (id: string, request: LockRequest, script?: unknown) => Promise<AcquiredBy>

/**
 * Has every lock in Redis be one on a chunk of its own, which nobody else ever wants: each is live, and keeps nobody out.
 * `folder`: where the server's own modules of locks are.
 */
export async function unlock(folder: URL): Promise<void> {
  const { RedisLocker } = (await import(new URL('redis-locker.js', folder).href)) as {
    readonly RedisLocker: { readonly prototype: { acquireBy: Acquire } }
  }
  const { prototype } = RedisLocker
  const acquireBy = prototype.acquireBy
  // Nodes draw from ranges of their own.
  let last = Math.floor(Math.random() * 2 ** 20) * 2 ** 20
  prototype.acquireBy = async function (this: unknown, id, request, script) {
    const scope = { kind: 'chunk', number: (last += 1) } as const
    const { lock, reply } = await acquireBy.call(this, id, { ...request, scope }, script)
    return { lock: unlocked(lock, request.scope), reply }
  }
}

function unlocked(lock: UploadLock, scope: LockScope): UploadLock {
  return {
    scope,
    get token() {
      return lock.token
    },
    get held() {
      return lock.held
    },
    moveTo: async (_number: number, _options: MoveOptions) => {},
    giveBack: async (_number: number) => {},
    release: () => lock.release(),
  }
}
