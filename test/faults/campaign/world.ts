import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { Random } from '../../support/byte-source.ts'
import { sharedVariables } from '../../support/cluster.ts'
import { type CompiledProgram, compileProgram } from '../../support/compiled-program.ts'
import { faultsOf, type S3Fault } from '../../support/s3-proxy-fault.ts'
import { S3Proxy } from '../../support/s3-proxy.ts'
import { startRedis } from '../../support/services/own-redis.ts'
import type { RedisServer } from '../../support/services/redis-server.ts'
import { newBucket, s3Service } from '../../support/services/s3.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../../support/webhook-receiver.ts'
import type { Traits } from './combination.ts'
import { CALM, FaultChance, type Weather } from './fault-chance.ts'
import { FaultyNode } from './faulty-node.ts'
import { Phases } from './phases.ts'
import type { Tally } from './tally.ts'

/** The server as `npm start` runs it. */
const MAIN = fileURLToPath(new URL('../../../dist/adapters/standalone/start.cjs', import.meta.url))
/** So long a node that was killed keeps others from an upload, ms. */
export const LEASE_MS = 1500
/** So often a node is started, at most, before it is not storage that keeps it from it. */
const STARTS = 12
/** Clocks of nodes are off by at most so much, ms. */
const MOST_SKEW_MS = 4 * 60_000

/** What a world is made of. */
export interface WorldOptions {
  readonly traits: Traits
  readonly seed: number
  /** Where storage's failing calls are counted. */
  readonly errors: Tally
  /** Whether locks in Redis keep nobody out. @default false */
  readonly isUnlocked?: boolean
  /** The server's program. @default the one that `npm start` runs */
  readonly main?: string
}

/** Servers, and what they stand on: everything that can fail. */
export class World {
  readonly traits: Traits
  readonly phases: Phases
  readonly redis: RedisServer | null
  readonly #redisClient: Redis | null
  readonly #options: WorldOptions
  readonly #random: Random
  readonly #preload: CompiledProgram
  readonly #proxy: S3Proxy | null
  readonly #proxyChance: FaultChance
  readonly #variables: Readonly<Record<string, string>>
  readonly directory: string
  readonly bucket: string | null
  /** Who is to be told of every finished file. */
  readonly receiver: WebhookReceiver
  readonly #nodes: (FaultyNode | null)[]
  #weather: Weather = CALM
  /** How the call that is broken in this weather fails, once it has. */
  #broken: S3Fault | null = null
  /** Nodes that have ended. */
  readonly #past: FaultyNode[] = []

  private constructor(
    options: WorldOptions,
    parts: {
      readonly preload: CompiledProgram
      readonly directory: string
      readonly redis: RedisServer | null
      readonly proxy: S3Proxy | null
      readonly bucket: string | null
      readonly receiver: WebhookReceiver
    },
  ) {
    const { traits, seed } = options
    this.traits = traits
    this.#options = options
    this.#random = new Random(seed, 7)
    this.#preload = parts.preload
    this.directory = parts.directory
    this.redis = parts.redis
    this.#redisClient = parts.redis === null ? null : new Redis(parts.redis.url, { maxRetriesPerRequest: null })
    this.#redisClient?.on('error', () => {})
    this.#proxy = parts.proxy
    this.bucket = parts.bucket
    this.receiver = parts.receiver
    this.#proxyChance = new FaultChance(new Random(seed, 8))
    this.#nodes = Array.from({ length: traits.nodes }, () => null)
    this.phases = new Phases((id, phase) => {
      for (const node of this.#nodes) node?.order({ phases: [[id, phase]] })
    })
    const s3 = parts.bucket === null ? {} : sharedVariables('', parts.bucket)
    const { REDIS_URL: _, ...storage } = { REDIS_URL: '', ...s3 }
    this.#variables = {
      DATA_DIR: join(parts.directory, 'data'),
      CHUNK_SIZE: String(traits.grids[0]),
      SHUTDOWN_TIMEOUT: '8s',
      WEBHOOK_URL: parts.receiver.url,
      WEBHOOK_SECRET,
      ...storage,
      ...(parts.proxy === null ? {} : { S3_ENDPOINT: parts.proxy.url }),
      ...(parts.redis === null ? {} : { REDIS_URL: parts.redis.url, LOCK_LEASE: `${LEASE_MS}ms` }),
    }
    if (this.#proxy !== null) this.#proxy.plan = (request) => this.#draw(request)
  }

  static async make(options: WorldOptions): Promise<World> {
    const { hasRedis, hasS3 } = options.traits
    const [preload, directory, redis, bucket, receiver] = await Promise.all([
      compileProgram('../faults/campaign/node-preload.ts'),
      mkdtemp(join(tmpdir(), 'holdfast-campaign-')),
      hasRedis ? startRedis() : null,
      hasS3 ? newBucket() : null,
      WebhookReceiver.start(),
    ])
    const proxy = hasS3 ? await S3Proxy.start(s3Service().endpoint) : null
    const world = new World(options, { preload, directory, redis, proxy, bucket, receiver })
    await Promise.all(world.#nodes.map((_, at) => world.begin(at)))
    return world
  }

  /** Addresses of the nodes that are there. */
  get urls(): readonly string[] {
    return this.#nodes.flatMap((node) => (node === null ? [] : [node.url]))
  }

  get nodes(): readonly FaultyNode[] {
    return this.#nodes.filter((node) => node !== null)
  }

  /** What has been written by all nodes that ever were. */
  get output(): string {
    return [...this.#past, ...this.nodes].map(({ output }) => output).join('\n')
  }

  /** How likely calls to storage fail from now on. */
  get weather(): Weather {
    return this.#weather
  }

  set weather(weather: Weather) {
    this.#weather = weather
    this.#broken = null
    this.#proxyChance.weather = weather
    for (const node of this.#nodes) node?.order({ weather })
  }

  /**
   * Starts node `at` where it is not there. Its clock is off, by another time each time. While storage fails, a node says so
   * and ends, and is started again.
   */
  async begin(at: number, variables: Readonly<Record<string, string>> = {}, skewMs?: number): Promise<void> {
    for (let time = 1; this.#nodes[at] == null; time += 1) {
      const before = this.#weather
      await this.#start(at, variables, skewMs).catch((error: unknown) => {
        const isCalm = before.rare + this.#weather.rare === 0
        if (time === STARTS || isCalm) throw error
      })
    }
  }

  async #start(at: number, variables: Readonly<Record<string, string>>, skewMs?: number): Promise<void> {
    const { main = MAIN, isUnlocked = false, errors, traits } = this.#options
    const node = await FaultyNode.start({
      main,
      preload: this.#preload.path,
      variables: { ...this.#variables, ...variables },
      faults: {
        directory: join(this.directory, 'data'),
        seed: this.#random.int(0, 2 ** 31),
        // A disk tells the times of its files by the machine's clock.
        skewMs: skewMs ?? (traits.hasS3 ? this.#random.int(-MOST_SKEW_MS, MOST_SKEW_MS) : 0),
        isUnlocked: isUnlocked && traits.hasRedis,
      },
      onFault: ({ call, phase }) => {
        errors.add(traits.combination, [{ call, phase }])
        for (const other of this.#nodes) if (other !== node) other?.order({ counts: [[`${call}, ${phase}`, 1]] })
      },
    })
    node.order({ phases: this.phases.entries() })
    node.order({ counts: errors.cells(traits.combination) })
    node.order({ weather: this.#weather })
    this.#nodes[at] = node
  }

  /** Ends node `at`, to which no request goes from now on; its exit code. */
  async end(at: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const node = this.#nodes[at]
    if (node == null) return null
    this.#nodes[at] = null
    this.#past.push(node)
    return node.end(signal)
  }

  node(at: number): FaultyNode | null {
    return this.#nodes[at] ?? null
  }

  /** Has Redis forget everything. */
  async flush(): Promise<void> {
    await this.#redisClient?.flushall()
  }

  /** Has Redis write down what it knows. */
  async save(): Promise<void> {
    await this.#redisClient?.save()
  }

  /** Has Redis answer nobody for so long, ms. */
  async slow(ms: number): Promise<void> {
    await this.#redisClient?.call('CLIENT', 'PAUSE', String(ms), 'ALL')
  }

  /** Resolves when no request to S3 is under way any more that was cut off here. */
  async settled(): Promise<void> {
    await this.#proxy?.settled()
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((_, at) => this.end(at, 'SIGKILL')))
    this.#redisClient?.disconnect()
    await this.redis?.stop()
    await this.#proxy?.stop()
    await this.receiver.leave()
    await this.#preload.remove()
    await rm(this.directory, { recursive: true, force: true })
  }

  #draw({ name, key }: { readonly name: string; readonly key: string }) {
    const { errors, traits } = this.#options
    const phase = this.phases.of(key)
    if (!this.#proxyChance.fails(`${name}, ${phase}`)) return null
    // What is silent takes its time.
    const isSilent = this.#random.chance(0.02)
    const [first, ...others] = faultsOf({ name }).filter(({ how }) => (how === 'stall' || how === 'hang') === isSilent)
    if (first === undefined) return null
    errors.add(traits.combination, [{ call: name, phase }])
    const fault = this.#proxyChance.pick([first, ...others])
    if (name !== this.#weather.broken) return fault
    // What is broken is so in the same way all the time.
    this.#broken ??= fault
    return this.#broken
  }
}
