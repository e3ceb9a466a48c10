import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { Random } from '../../support/byte-source.ts'
import { SprayWire } from '../../support/spray-wire.ts'
import { expectNothingLeft, expectTold } from './aftermath.ts'
import { ClientsAtWork } from './clients-at-work.ts'
import { ConcatenatedUpload } from './clients/concatenated-upload.ts'
import { JsonUpload } from './clients/json-upload.ts'
import { RivalUpload } from './clients/rival-upload.ts'
import { SharedUpload } from './clients/shared-upload.ts'
import { TusUpload } from './clients/tus-upload.ts'
import { Director } from './director.ts'
import { KeptFiles } from './kept-files.ts'
import { Observer } from './observer.ts'
import type { Tally } from './tally.ts'
import { keepOutput, traced } from './traces.ts'
import { World, type WorldOptions } from './world.ts'

const MIB = 1024 * 1024
/** Uploads that run at the same time. */
const SLOTS = 8
/** Where locks keep nobody out and Redis forgets, nobody but S3 knows whose bytes a chunk has: those that came last. */
const LONE_CLIENTS = [TusUpload, TusUpload, JsonUpload, JsonUpload, SharedUpload, ConcatenatedUpload] as const
const CLIENTS = [...LONE_CLIENTS, RivalUpload] as const
/** How often it is said how far it is, seconds. */
const SAY_SECONDS = 60
/** What a server may need at most, its budget included. */
const MOST_MEMORY = 700 * MIB
/** Sockets of a node that nobody uses: where it listens, to Redis, and to S3. */
const MOST_SOCKETS = 60

/** When there has been enough trouble. */
interface Goal {
  readonly kills: number
  readonly errors: number
  /** How often everything is to have been hit that was hit at all: each call in each phase. */
  readonly inCell: number
  /** Seconds after which it is over in any case. */
  readonly seconds: number
}

interface CampaignOptions extends WorldOptions {
  readonly goal: Goal
  readonly kills: Tally
  /** A call that fails for seconds more often than others: what is looked for is found sooner. @default none */
  readonly often?: string
}

/** What was done and seen. */
export interface CampaignReport {
  readonly files: number
  readonly cancelled: number
  readonly abandoned: number
  readonly retries: number
  readonly others: ReadonlyMap<string, number>
  readonly seconds: number
  readonly peakMemory: number
}

/** Has clients upload while everything fails, and sees that nothing is lost. @throws what was lost */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const world = await World.make(options)
  try {
    return await new Campaign(world, options).run()
  } catch (error) {
    const { seed, traits } = options
    const log = await keepOutput(`${traits.combination.replace('/', '-')}-${seed}.log`, world.output)
    console.log(`${traits.combination}, seed ${seed}. What the nodes wrote: ${log}\n${String(error)}`)
    throw error
  } finally {
    await world.close()
  }
}

class Campaign {
  readonly #world: World
  readonly #options: CampaignOptions
  readonly #random: Random
  readonly #wire: SprayWire
  readonly #clients = new ClientsAtWork()
  readonly #kept: KeptFiles
  readonly #others = new Map<string, number>()
  /** Names of files that may stand though nobody was told of them. */
  readonly #untold = new Set<string>()
  /** Uploads of which nobody may be told that they are files. */
  readonly #unfinished = new Set<string>()
  readonly #faults: unknown[] = []
  readonly #begun = performance.now()
  readonly #before: { readonly kills: number; readonly errors: number }
  readonly #tally = { files: 0, cancelled: 0, abandoned: 0, retries: 0, peakMemory: 0 }
  #index = 0

  constructor(world: World, options: CampaignOptions) {
    const { seed, kills, errors } = options
    this.#world = world
    this.#options = options
    this.#random = new Random(seed)
    this.#wire = new SprayWire(() => world.urls, new Random(seed, 3))
    this.#kept = new KeptFiles(world, this.#wire, new Random(seed, 4))
    this.#before = { kills: kills.total, errors: errors.total }
  }

  async run(): Promise<CampaignReport> {
    const { seed, kills, errors, traits, often = null } = this.#options
    const goesOn = (): boolean => this.#goesOn
    const random = new Random(seed, 2)
    const [world, clients, others] = [this.#world, this.#clients, this.#others]
    const director = new Director({ world, clients, random, kills, errors, often, others, goesOn })
    const slots = Array.from({ length: SLOTS }, () => this.#upload())
    const works = [...slots, this.#watch(), ...(traits.isPlainTus ? [] : [this.#observe()]), director.run()]
    await Promise.all(works.map((work) => work.catch((error: unknown) => void this.#faults.push(error))))
    for (const fault of this.#faults) throw fault
    await this.#end()
    return { ...this.#tally, others, seconds: this.#seconds }
  }

  get #seconds(): number {
    return (performance.now() - this.#begun) / 1000
  }

  get #goesOn(): boolean {
    const { goal, kills, errors, traits } = this.#options
    const { combination } = traits
    const isEnough =
      kills.total - this.#before.kills >= goal.kills &&
      errors.total - this.#before.errors >= goal.errors &&
      kills.below(combination, goal.inCell).length + errors.below(combination, goal.inCell).length === 0
    return this.#faults.length === 0 && !isEnough && this.#seconds <= goal.seconds
  }

  /** Uploads one after the other. */
  async #upload(): Promise<void> {
    const { seed, traits, isUnlocked = false } = this.#options
    const kinds = isUnlocked ? LONE_CLIENTS : CLIENTS
    while (this.#goesOn) {
      const Client = traits.isPlainTus ? TusUpload : this.#random.pick<(typeof CLIENTS)[number]>(kinds)
      const isOver = (): boolean => this.#faults.length > 0
      const isCalm = (): boolean => !this.#goesOn
      const index = (this.#index += 1)
      const { phases } = this.#world
      const place = { wire: this.#wire, traits, phases, untold: this.#untold, seed, index, isCalm, isOver }
      const client = new Client(place)
      try {
        await this.#clients.run(client)
      } catch (error) {
        throw await traced(this.#world, this.#wire, error, client.names)
      }
      this.#tally.retries += client.retries
      for (const ending of client.endings) {
        this.#tally[ending.kind === 'file' ? 'files' : ending.kind] += 1
        if (ending.kind === 'file') await this.#kept.keep(client, ending)
        else this.#unfinished.add(ending.id)
      }
    }
  }

  /** Sees that no process ends by itself, or grows; says now and then how far it is. */
  async #watch(): Promise<void> {
    for (let due = SAY_SECONDS; this.#goesOn; ) {
      if (this.#seconds > due) {
        due += SAY_SECONDS
        console.log(this.#soFar())
      }
      for (const node of this.#world.nodes) {
        if (node.hasCrashed) throw new Error(`A node ended by itself:\n${node.output.slice(-4000)}`)
        const peak = await node.peakMemory().catch(() => 0)
        this.#tally.peakMemory = Math.max(this.#tally.peakMemory, peak)
        expect(peak, 'memory of a node').toBeLessThan(MOST_MEMORY)
      }
      await delay(250)
    }
  }

  #soFar(): string {
    const { goal, kills, errors, traits } = this.#options
    const lacking = [kills, errors].flatMap((tally) => tally.below(traits.combination, goal.inCell))
    const counts = `${kills.total - this.#before.kills} kills, ${errors.total - this.#before.errors} failed calls`
    return `${traits.combination}, ${this.#seconds.toFixed()} s: ${counts}; too seldom: ${lacking.join('; ')}`
  }

  async #observe(): Promise<void> {
    const observer = new Observer(this.#wire)
    while (this.#goesOn) {
      for (const client of this.#clients.begun) await observer.look(client)
      await delay(20)
    }
  }

  /** Sees that nothing stays open when nobody is at it: no file, and no more sockets than lead to Redis and S3. */
  async #expectNothingOpen(): Promise<void> {
    const open = async (): Promise<string[]> => {
      const handles = (await Promise.all(this.#world.nodes.map((node) => node.openHandles()))).flat()
      const sockets = handles.filter((name) => name.startsWith('socket:'))
      return [
        ...handles.filter((name) => name.startsWith(this.#world.directory)),
        ...sockets.slice(MOST_SOCKETS * this.#world.nodes.length),
      ]
    }
    await expect.poll(open, { message: 'what nodes have open', timeout: 30_000 }).toEqual([])
  }

  /** When the trouble is over. */
  async #end(): Promise<void> {
    const world = this.#world
    await this.#kept.check()
    this.#wire.close()
    await this.#expectNothingOpen()
    expect(world.output, 'what nodes wrote').not.toMatch(/unhandled|uncaught/i)
    // Where others keep what they keep, and whom they tell, is not known here.
    if (!world.traits.isPlainTus) {
      await expectNothingLeft(world, this.#kept.ids, this.#untold)
      await this.#kept.check()
      await expectTold(world.receiver, this.#kept.fileIds, this.#unfinished)
    }
    this.#wire.close()
    for (let at = 0; at < world.traits.nodes; at += 1)
      if (world.node(at) !== null) expect(await world.end(at, 'SIGTERM')).toBe(0)
  }
}
