/** What may be given to a command: it is sent as its text. */
export type RedisArgument = string | number | Buffer

/**
 * The part of ioredis' `Redis` and `Cluster` that scripts need, so that any version of it fits. It is lent: nothing is
 * defined on it, and it is never closed here.
 */
export interface RedisClient {
  evalsha(sha: string, keyCount: number, ...keysAndArgs: RedisArgument[]): Promise<unknown>
  eval(script: string, keyCount: number, ...keysAndArgs: RedisArgument[]): Promise<unknown>
}

/** A connection of our own that listens. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
  on(event: 'ready' | 'close' | 'error', listener: () => void): unknown
  disconnect(): void
}
