import { createHash } from 'node:crypto'
import { UploadError } from '../errors.ts'
import type { RedisArgument, RedisClient } from './client.ts'

/** A Lua script, and the name Redis knows it by. */
export class RedisScript {
  readonly source: string
  readonly sha: string

  constructor(source: string) {
    this.source = source
    this.sha = createHash('sha1').update(source).digest('hex')
  }
}

/** Runs a script in one command, as long as the server has met it before. All keys must be of one upload. */
export async function runScript(
  redis: RedisClient,
  { source, sha }: RedisScript,
  keys: readonly string[],
  args: readonly RedisArgument[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return redis.eval(source, keys.length, ...keys, ...args)
  }
}

/**
 * Waits for the answer to a command, but not for ever: a client that is offline queues commands for as long as it likes.
 *
 * @param timeoutMs How long to wait, ms.
 * @throws UploadError `STATE_UNAVAILABLE` when Redis refuses or does not answer in time. The command may have been run,
 *   or may be run yet.
 */
export async function answered<T>(command: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${timeoutMs} ms.`)), timeoutMs)
  })
  try {
    return await Promise.race([command, tooLate])
  } catch (cause) {
    throw new UploadError('STATE_UNAVAILABLE', { cause })
  } finally {
    clearTimeout(timer)
  }
}
