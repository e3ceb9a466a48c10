import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import { RedisState, type RedisStateOptions } from '../../../../src/state/redis/index.ts'
import type { State } from '../../../../src/state/state.ts'
import type { Change, Upload } from '../../../../src/upload.ts'
import { redisService } from '../../../support/services/redis.ts'

/** A prefix that no other test has. */
export const ownPrefix = (): string => `state-${randomUUID()}:`

/** A client that is closed when the test is over. */
export function aClient(url = redisService().url): Redis {
  const redis = new Redis(url)
  // What comes of a server that is gone, the tests see for themselves.
  redis.on('error', () => {})
  onTestFinished(() => redis.disconnect())
  return redis
}

/** A process: its state, on a client of its own. */
export interface Node {
  readonly state: RedisState
  readonly redis: Redis
  readonly prefix: string
}

/** How nodes are made. */
export interface NodesOptions extends Partial<RedisStateOptions> {
  /** Where their Redis is. @default the one all tests share */
  readonly url?: string
}

/** Two processes that share one Redis. */
export function twoNodes({ url, ...options }: NodesOptions = {}): readonly [Node, Node] {
  const prefix = ownPrefix()
  const node = (): Node => {
    const redis = aClient(url)
    const state = new RedisState({ redis, prefix, ...options })
    onTestFinished(() => state.close())
    return { state, redis, prefix }
  }
  return [node(), node()]
}

/** One process. */
export function aNode(options: NodesOptions = {}): Node {
  return twoNodes(options)[0]
}

/** Commits under a lock that is taken for it and given back with it, as a JSON chunk does. */
export async function commit(state: State, id: string, ...changes: Change[]): Promise<Upload | null> {
  const { lock } = await state.lock(id, { scope: { kind: 'whole' }, waitMs: 10_000 })
  try {
    return await state.commit(id, changes, { lock, expiresAt: 0, release: true })
  } finally {
    await lock.release()
  }
}

/** The numbers of an upload's durable chunks, in the order in which they came. */
export const numbers = (upload: Upload | null): readonly number[] => [...(upload?.ledger.chunks.keys() ?? [])]
