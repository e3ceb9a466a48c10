export interface RedisService {
  readonly url: string
  readonly host: string
  readonly port: number
}

/** The Redis that a variable names, or null where it names none. */
export function namedRedis(env: NodeJS.ProcessEnv): RedisService | null {
  const url = env['TEST_REDIS_URL']
  if (!url) return null
  const { hostname, port } = new URL(url)
  return { url, host: hostname, port: Number(port || 6379) }
}
