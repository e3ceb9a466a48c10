import type { RedisArgument, RedisClient } from '../../redis/client.ts'
import { RedisScript, runScript } from '../../redis/script.ts'
import type { LockScope } from '../locker.ts'
import { LOCK_LUA } from './lock-lua.ts'

/** How a token stands in Redis. */
export interface Standing {
  readonly waits: boolean
  readonly holds: boolean
  readonly asked: boolean
  /** The last move that was granted. */
  readonly move: number
  /** When the first lease there ends, ms from now; 0 where none is left. */
  readonly firstEndsInMs: number
}

/** What a token asks for. */
export interface Wish {
  readonly token: string
  readonly leaseMs: number
  readonly scope: LockScope
  /** Whether those in the way are asked to let go. */
  readonly asks: boolean
  /** Whether it can be asked itself. */
  readonly askable: boolean
  /** Whether it waits in turn. */
  readonly waits: boolean
  /** Where its process listens. */
  readonly channel: string
}

/** A script that acquires in its first step, and then does more. */
export interface AcquireScript {
  readonly script: RedisScript
  /** Its keys behind the lock's. */
  readonly keys: readonly string[]
  /** Its arguments behind the lock's {@link ACQUIRE_ARGUMENTS}. */
  readonly args: readonly RedisArgument[]
}

/** How many arguments of an acquiring script are the lock's: ARGV[1] to ARGV[8]. */
export const ACQUIRE_ARGUMENTS = 8

/** How many values an acquiring script's reply begins with; what it read may follow. */
export const STANDING_VALUES = 3

/*
 * KEYS[1] the lock
 * ARGV    token, lease ms, scope a|c|w, chunk or '', asks 0|1, askable -|?, waits 0|1, channel
 * returns standing, move, ms until the first lease ends
 */
const ACQUIRE = new RedisScript(`${LOCK_LUA}
return locks.acquire(KEYS[1], locks.now(), ARGV)`)

/*
 * KEYS[1] the lock
 * ARGV    token, chunks to keep with commas between, chunk to take or '', number of this move, waits 0|1
 * returns standing, move, ms until the first lease ends
 */
const MOVE = new RedisScript(`${LOCK_LUA}
return locks.move(KEYS[1], locks.now(), ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])`)

/*
 * KEYS[1] the lock
 * ARGV    token, chunk to give back
 * returns standing, move, ms until the first lease ends
 */
const DROP = new RedisScript(`${LOCK_LUA}
return locks.drop(KEYS[1], locks.now(), ARGV[1], ARGV[2])`)

/*
 * KEYS[1] the lock
 * ARGV    lease ms, tokens
 * returns standing and move of each, ms until the first lease ends
 */
const RENEW = new RedisScript(`${LOCK_LUA}
local leaseMs = table.remove(ARGV, 1)
return locks.renew(KEYS[1], locks.now(), leaseMs, ARGV)`)

/*
 * KEYS[1] the lock
 * ARGV    token
 * returns 1 it held, 0 it did not
 */
const RELEASE = new RedisScript(`${LOCK_LUA}
return locks.release(KEYS[1], locks.now(), ARGV[1])`)

/** The lock scripts, called. None of it knows a timeout: see {@link answered}. */
export class LockScripts {
  readonly #redis: RedisClient

  constructor(redis: RedisClient) {
    this.#redis = redis
  }

  /** Enters a wish, once however often it is sent; returns what the script replied. */
  acquire(key: string, wish: Wish, custom?: AcquireScript): Promise<readonly unknown[]> {
    const { scope } = wish
    const args = [
      wish.token,
      wish.leaseMs,
      scope.kind.charAt(0),
      scope.kind === 'chunk' ? scope.number : '',
      wish.asks ? '1' : '0',
      wish.askable ? '?' : '-',
      wish.waits ? '1' : '0',
      wish.channel,
    ]
    if (custom === undefined) return this.#run(ACQUIRE, key, args)
    return this.#run(custom.script, key, [...args, ...custom.args], custom.keys)
  }

  /** Keeps `keep` of its chunks and enters move number `move` to chunk `to`; null only withdraws the last move. */
  async move(key: string, token: string, keep: Iterable<number>, to: Move | null): Promise<Standing> {
    const target = to === null ? ['', 0, 0] : [to.chunk, to.move, to.waits ? 1 : 0]
    return readStanding(await this.#run(MOVE, key, [token, [...keep].join(','), ...target]))
  }

  async drop(key: string, token: string, chunk: number): Promise<Standing> {
    return readStanding(await this.#run(DROP, key, [token, chunk]))
  }

  /** Renews tokens of one upload, and says of each how it stands. */
  async renew(key: string, leaseMs: number, tokens: readonly string[]): Promise<readonly Standing[]> {
    const reply = await this.#run(RENEW, key, [leaseMs, ...tokens])
    return tokens.map((_, i) => readStanding([reply[2 * i], reply[2 * i + 1], reply.at(-1)]))
  }

  async release(key: string, token: string): Promise<void> {
    await runScript(this.#redis, RELEASE, [key], [token])
  }

  async #run(
    script: RedisScript,
    key: string,
    args: readonly RedisArgument[],
    keys: readonly string[] = [],
  ): Promise<readonly unknown[]> {
    return (await runScript(this.#redis, script, [key, ...keys], args)) as readonly unknown[]
  }
}

/** An append's wish for its next chunk. */
export interface Move {
  readonly chunk: number
  /** Counts the moves of one lock, from 1. */
  readonly move: number
  readonly waits: boolean
}

/** The codes of the scripts, mapped here and nowhere else. */
export function readStanding([bits, move, firstEndsInMs]: readonly unknown[]): Standing {
  const sum = Number(bits)
  return {
    waits: (sum & 1) !== 0,
    holds: (sum & 2) !== 0,
    asked: (sum & 4) !== 0,
    move: Number(move),
    firstEndsInMs: Number(firstEndsInMs),
  }
}
