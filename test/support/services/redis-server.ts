import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort, isFree } from './free-port.ts'
import { type MortalProcess, mortalFolder, removeFolder, startMortal } from './mortal-process.ts'

const HOST = '127.0.0.1'
const READY_MS = 20_000
/** Another may take the port between the search for one and the start. */
const ATTEMPTS = 3

export interface RedisServerOptions {
  /**
   * Whether every write is in its append-only file before it is answered, so that it outlives SIGKILL.
   *
   * @default false
   */
  readonly appendonly?: boolean
  /** The server it is a replica of; none by default. */
  readonly replicaOf?: { readonly host: string; readonly port: number }
  /** Any other directive of redis.conf, as `{ save: '1 1', 'repl-diskless-sync-delay': '0' }`. */
  readonly config?: Readonly<Record<string, string>>
  /** The port it is to have where it is free; any free one by default. */
  readonly preferredPort?: number
}

/** A Redis in a process of its own, that may be killed, stopped (SIGSTOP to `pid`) and brought back. */
export interface RedisServer {
  readonly url: string
  readonly host: string
  readonly port: number
  /** Another one after a restart. */
  readonly pid: number
  /** Ends the process with SIGKILL. Its data stays for {@link restart}. */
  kill(): Promise<void>
  /** Kills it where it runs, and starts it on the same port, with what it had written to disk unless `keepData` is false. */
  restart(options?: { readonly keepData?: boolean }): Promise<void>
  /** Kills it and removes its data. */
  stop(): Promise<void>
  running(): boolean
}

/** Starts a Redis with a {@link findRedis} command on a loopback port, and waits until it answers. */
export async function startRedisServer(
  command: readonly string[],
  options: RedisServerOptions = {},
): Promise<RedisServer> {
  const { preferredPort } = options
  if (preferredPort !== undefined && (await isFree(preferredPort))) return startOn(preferredPort, command, options)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(await freePort(), command, options)
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
    }
  }
}

async function startOn(
  port: number,
  command: readonly string[],
  { appendonly = false, replicaOf, config = {} }: RedisServerOptions,
): Promise<RedisServer> {
  const directives: Record<string, string> = {
    port: String(port),
    bind: HOST,
    save: '',
    appendonly: appendonly ? 'yes' : 'no',
    ...(replicaOf !== undefined && { replicaof: `${replicaOf.host} ${replicaOf.port}` }),
    ...config,
  }
  let folder = await mortalFolder('redis')

  async function launch(): Promise<MortalProcess> {
    const args = Object.entries({ ...directives, dir: folder }).flatMap(([name, value]) => [
      `--${name}`,
      ...value.split(' '),
    ])
    const started = startMortal([...command, ...args], join(folder, 'log'))
    await ready(started, port)
    return started
  }

  let server = await launch()
  return {
    url: `redis://${HOST}:${port}`,
    host: HOST,
    port,
    get pid() {
      return server.pid
    },
    running: () => server.running(),
    kill: () => server.kill(),
    restart: async ({ keepData = true } = {}) => {
      await server.kill()
      if (!keepData) {
        await removeFolder(folder)
        folder = await mortalFolder('redis')
      }
      server = await launch()
    },
    stop: async () => {
      await server.kill()
      await removeFolder(folder)
    },
  }
}

/** Waits until a server answers, having loaded what it had. */
async function ready(server: MortalProcess, port: number): Promise<void> {
  const client = new Redis(port, HOST, { retryStrategy: () => 20, maxRetriesPerRequest: null, disconnectTimeout: 100 })
  // It is refused until the server listens.
  client.on('error', () => undefined)
  const timeout = AbortSignal.timeout(READY_MS)
  const late = new Promise<string>((resolve) => timeout.addEventListener('abort', () => resolve('is not ready')))
  const answer = client.info('server').catch(() => 'is gone')
  const state = await Promise.race([answer, late, server.ended.then(() => 'has ended')])
  client.disconnect()
  // Where another was quicker to take the port, it is that one which has answered.
  if (state.includes(`process_id:${server.pid}\r`)) return
  const words = server.lastWords()
  await server.kill()
  throw new Error(`Redis on port ${port} ${state.split('\r', 1)[0]}:\n${words}`)
}
