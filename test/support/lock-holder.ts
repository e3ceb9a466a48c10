/**
 * A process that takes one lock, and tells its parent how that goes.
 * Arguments: URL of Redis, prefix, lease in ms, id.
 */
import { Redis } from 'ioredis'
import type { UploadLock } from '../../src/locks/locker.ts'
import { RedisLocker } from '../../src/locks/redis-locker.ts'

/** What the process tells, and what it is told. */
export type HolderNews =
  | { readonly event: 'granted' | 'lost' | 'asked' | 'released' | 'closed' }
  | { readonly event: 'looked'; readonly held: boolean }
export type HolderOrder = 'look' | 'release' | 'close'

const [url = '', prefix = '', leaseMs = '', id = ''] = process.argv.slice(2)
const tell = (news: HolderNews): void => void process.send?.(news)
const redis = new Redis(url)
const locker = new RedisLocker({ redis, prefix, leaseMs: Number(leaseMs) })
let lock: UploadLock

process.on('message', (order: HolderOrder) => void obey(order))

async function obey(order: HolderOrder): Promise<void> {
  if (order === 'look') {
    tell({ event: 'looked', held: lock.held })
  } else if (order === 'release') {
    await lock.release()
    tell({ event: 'released' })
  } else {
    // From here on, nothing but its own doing keeps this process alive.
    tell({ event: 'closed' })
    await locker.close()
    redis.disconnect()
    process.disconnect()
  }
}

lock = await locker.acquire(id, {
  scope: { kind: 'append' },
  waitMs: 10_000,
  onAsked: () => tell({ event: 'asked' }),
  onLost: () => tell({ event: 'lost' }),
})
tell({ event: 'granted' })
