import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../../support/byte-source.ts'
import type { ClientsAtWork } from './clients-at-work.ts'
import { CALM } from './fault-chance.ts'
import { type Cell, cellOf, type Tally } from './tally.ts'
import { LEASE_MS, type World } from './world.ts'

/** What a kill is to come in the midst of. */
const TARGETS: readonly Cell[] = [
  { call: 'PATCH', phase: 'uploading' },
  { call: 'chunk', phase: 'uploading' },
  { call: 'PATCH', phase: 'completing' },
  { call: 'complete', phase: 'completing' },
  { call: 'final', phase: 'completing' },
  { call: 'cancel', phase: 'ended' },
  { call: 'HEAD', phase: 'uploading' },
]

/** How many kills each target is to see, and how often each call is to fail in each phase. */
const ENOUGH = 10

export interface DirectorOptions {
  readonly world: World
  readonly clients: ClientsAtWork
  readonly random: Random
  readonly kills: Tally
  readonly errors: Tally
  /** A call that fails for seconds more often than others, or null. */
  readonly often: string | null
  /** Faults other than kills and failing storage, by name. */
  readonly others: Map<string, number>
  readonly goesOn: () => boolean
}

/** Decides what befalls the servers and what they stand on, and when. */
export class Director {
  readonly #options: DirectorOptions

  constructor(options: DirectorOptions) {
    this.#options = options
  }

  /** Brings trouble until it is told to stop, and leaves everything whole. */
  async run(): Promise<void> {
    const { world } = this.#options
    const { traits } = world
    // Nodes of many may be down at the same time.
    const enders = Array.from({ length: Math.max(1, traits.nodes - 1) }, (_, at) => this.#ends(at))
    const loops = [this.#storms(), ...enders, ...(traits.hasRedis ? [this.#redisTrouble()] : [])]
    await Promise.all(loops)
    // The last kill may have changed it after the storms were over.
    world.weather = CALM
  }

  /** Storage fails, at times. */
  async #storms(): Promise<void> {
    const { world, random, goesOn } = this.#options
    while (goesOn()) {
      world.weather = random.pick([
        CALM,
        { common: 0.002, rare: 0.08, broken: null },
        { common: 0.01, rare: 0.15, broken: null },
        { common: 0.05, rare: 0.3, broken: null },
        // Whatever has seldom failed fails at once.
        { common: 0, rare: 1, broken: null },
        { common: 0.002, rare: 0.08, broken: this.#anyCall() },
        { common: 0.002, rare: 0.08, broken: this.#anyCall() },
      ])
      // Whoever is told of files is not always there.
      if (random.chance(0.3)) world.receiver.plan.push(random.pick([500, 503, 'hang']))
      // However often it is repeated.
      await this.#wait(world.weather.broken === null ? random.int(300, 1500) : random.int(1000, 8000))
    }
    world.receiver.plan.length = 0
    world.weather = CALM
  }

  /** A call to storage that has failed before, rather one that has seldom. */
  #anyCall(): string | null {
    const { world, random, errors, often } = this.#options
    const { combination } = world.traits
    if (often !== null && random.chance(0.7)) return often
    const seldom = random.chance(0.6) ? errors.below(combination, ENOUGH + 2) : []
    const cells = seldom.length > 0 ? seldom : errors.cells(combination)
    const [first, ...others] = cells.map(([key]) => cellOf(key).call)
    return first === undefined ? null : random.pick([first, ...others])
  }

  /** Ends node `first` again and again; the last of several too, in turn. */
  async #ends(first: number): Promise<void> {
    const { world, random, goesOn } = this.#options
    const { nodes } = world.traits
    while (goesOn()) {
      const at = first === nodes - 2 && random.chance(0.5) ? nodes - 1 : first
      const kind = random.next()
      // At times a node is left in peace for a while.
      if (kind < 0.08) await this.#wait(random.int(1000, 8000))
      else if (kind < 0.9) await this.#kill(at)
      else if (kind < 0.95) await this.#terminate(at)
      else await this.#stop(at)
    }
  }

  /** Kills a node in the midst of what has seen the fewest kills. */
  async #kill(at: number): Promise<void> {
    const { world, clients, random, kills, goesOn } = this.#options
    const { combination } = world.traits
    const target = this.#target()
    await this.#wait(random.pick([0, 0, 300, 1000]))
    const isThere = (): boolean =>
      clients.caught > 0 &&
      (target === null || clients.cells().some(({ call, phase }) => call === target.call && phase === target.phase))
    const until = performance.now() + 500
    while (goesOn() && !isThere() && performance.now() < until) await delay(1)
    if (random.chance(0.6)) await delay(random.int(0, 25))
    // A kill that catches nobody shows nothing.
    while (goesOn() && clients.caught === 0) await delay(1)
    if (!goesOn()) return
    kills.add(combination, clients.cells())
    await world.end(at, 'SIGKILL')
    await delay(random.pick([0, 0, 50, 400]))
    // Some calls are made when a node begins, and seldom later.
    if (random.chance(0.3)) world.weather = { common: 0.002, rare: 0.08, broken: this.#anyCall() }
    await world.begin(at)
  }

  /** What has seen too few kills, of what is to see some and of what has; null where everything has seen enough. */
  #target(): Cell | null {
    const { world, random, kills } = this.#options
    const { combination } = world.traits
    const seen = kills.cells(combination).map(([key]) => cellOf(key))
    const lacking = [...TARGETS, ...seen].filter((cell) => kills.count(combination, cell) < ENOUGH + 2)
    const [first, ...others] = lacking
    return first === undefined || random.chance(0.3) ? null : random.pick([first, ...others])
  }

  async #terminate(at: number): Promise<void> {
    const { world, random } = this.#options
    this.#note('SIGTERM')
    const node = world.node(at)
    const code = await world.end(at, 'SIGTERM')
    // While storage does not answer, a node cannot end as it should: then it says so, and ends all the same.
    const isExcused = /the shutdown (failed|took longer)/.test(node?.output ?? '')
    if (code !== 0 && isExcused) this.#note('SIGTERM while storage failed')
    else if (code !== 0) throw new Error(`SIGTERM ended a node with ${code}:\n${world.output.slice(-4000)}`)
    await delay(random.int(0, 200))
    await world.begin(at)
  }

  /** Stops a node, and lets it go on: past its leases where it has such. */
  async #stop(at: number): Promise<void> {
    const { world, random } = this.#options
    const node = world.node(at)
    if (node === null) return
    this.#note('SIGSTOP')
    node.signal('SIGSTOP')
    await this.#wait(world.traits.hasRedis ? LEASE_MS + random.int(100, 1500) : random.int(50, 1000))
    node.signal('SIGCONT')
  }

  async #redisTrouble(): Promise<void> {
    const { world, random, goesOn } = this.#options
    const { redis } = world
    if (redis === null) return
    while (goesOn()) {
      await this.#wait(random.int(500, 2500))
      const kind = random.pick(['flushed', 'killed', 'killed, its last second lost', 'stopped', 'slow'] as const)
      this.#note(`Redis ${kind}`)
      switch (kind) {
        case 'flushed':
          await world.flush()
          break
        case 'killed':
          await world.save()
          await redis.restart()
          break
        case 'killed, its last second lost':
          await world.save()
          await this.#wait(random.int(300, 1200))
          await redis.kill()
          await this.#wait(random.int(0, 500))
          await redis.restart()
          break
        case 'stopped':
          process.kill(redis.pid, 'SIGSTOP')
          await this.#wait(random.int(200, 2500))
          process.kill(redis.pid, 'SIGCONT')
          break
        case 'slow':
          await world.slow(random.int(50, 400))
          break
      }
    }
  }

  #note(what: string): void {
    const { others } = this.#options
    others.set(what, (others.get(what) ?? 0) + 1)
  }

  /** Waits, but not on when all is over. */
  async #wait(ms: number): Promise<void> {
    const until = performance.now() + ms
    while (this.#options.goesOn() && performance.now() < until) await delay(Math.min(50, until - performance.now()))
  }
}
