import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { createUploads, MemoryState } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { S3Storage, s3ClientOptions } from '../../../src/storage/s3/index.ts'
import { Random } from '../../support/byte-source.ts'
import { s3Service } from '../../support/services/s3.ts'
import type { WebhookReceiver } from '../../support/webhook-receiver.ts'
import { SprayWire } from '../../support/spray-wire.ts'
import { ClientsAtWork } from './clients-at-work.ts'
import type { CampaignClient, ClientPlace, Ending } from './clients/campaign-client.ts'
import { ConcatenatedUpload } from './clients/concatenated-upload.ts'
import { JsonUpload } from './clients/json-upload.ts'
import { RivalUpload } from './clients/rival-upload.ts'
import { SharedUpload } from './clients/shared-upload.ts'
import { TusUpload } from './clients/tus-upload.ts'
import type { Traits } from './combination.ts'
import { Director } from './director.ts'
import { keysWith, leftoversInBucket, leftoversOnDisk } from './leftovers.ts'
import { Observer } from './observer.ts'
import type { Tally } from './tally.ts'
import { World, type WorldOptions } from './world.ts'

const MIB = 1024 * 1024
/** Uploads that run at the same time. */
const SLOTS = 8
const CLIENTS = [TusUpload, TusUpload, JsonUpload, JsonUpload, SharedUpload, RivalUpload, ConcatenatedUpload] as const
/** Files that are kept at the same time, to be read again later. */
const KEPT = 20
/** What a server may need at most, beside its budget. */
const MOST_MEMORY = 700 * MIB
/** So soon unfinished uploads expire at the end. */
const EXPIRES_AFTER = '2s'
/** A clock that is fast by this takes what lies about for old. */
const LATER_MS = 4 * 60_000
/** So long nothing may become less that is to go, ms. */
const PATIENCE_MS = 20_000
const DAY_MS = 25 * 60 * 60_000

/** When there has been enough trouble. */
interface Goal {
  readonly kills: number
  readonly errors: number
  /** Seconds after which it is over in any case. */
  readonly seconds: number
}

export interface CampaignOptions extends Pick<WorldOptions, 'isUnlocked' | 'main'> {
  readonly traits: Traits
  readonly seed: number
  readonly goal: Goal
  readonly kills: Tally
  readonly errors: Tally
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
  const { traits, seed, goal, kills, errors } = options
  const world = await World.make(options)
  const begun = performance.now()
  const seconds = (): number => (performance.now() - begun) / 1000
  const before = { kills: kills.total, errors: errors.total }
  const random = new Random(seed)
  const wire = new SprayWire(() => world.urls, new Random(seed, 3))
  const clients = new ClientsAtWork()
  const others = new Map<string, number>()
  const faults: unknown[] = []
  const tallies = { files: 0, cancelled: 0, abandoned: 0, retries: 0, peakMemory: 0 }
  /** Uploads of which nobody may be told that they are files. */
  const unfinished = new Set<string>()
  let index = 0
  const isEnough = (): boolean =>
    seconds() > goal.seconds ||
    (kills.total - before.kills >= goal.kills && errors.total - before.errors >= goal.errors)
  const goesOn = (): boolean => faults.length === 0 && !isEnough()
  const kept: { readonly client: CampaignClient; readonly ending: Extract<Ending, { kind: 'file' }> }[] = []

  /** Told of a finished file once, a client may ask for it for ever. */
  const check = async ({ client, ending }: (typeof kept)[number]): Promise<void> =>
    client.expectContent(ending.fileId, ending.bytes).catch(async (error: unknown) => {
      throw await traced(world, wire, error, ending.id)
    })
  const readAgain = async (): Promise<void> => {
    const [one] = kept.splice(random.int(0, kept.length - 1), 1)
    if (one === undefined) return
    await check(one)
    await removeFile(wire, one.ending.fileId)
  }
  const slot = async (): Promise<void> => {
    while (goesOn()) {
      const place: ClientPlace = { wire, traits, phases: world.phases, seed, index: (index += 1) }
      const Client = traits.isPlainTus ? TusUpload : random.pick(CLIENTS)
      const client = new Client(place)
      await clients.run(client).catch(async (error: unknown) => {
        throw await traced(world, wire, error, client.uploadId)
      })
      tallies.retries += client.retries
      for (const ending of client.endings) {
        if (ending.kind === 'file') kept.push({ client, ending })
        else unfinished.add(ending.id)
        tallies[ending.kind === 'file' ? 'files' : ending.kind] += 1
      }
      if (kept.length > KEPT) await readAgain()
    }
  }
  const watcher = async (): Promise<void> => {
    while (goesOn()) {
      for (const node of world.nodes) {
        if (node.hasCrashed) throw new Error(`A node ended by itself:\n${node.output.slice(-4000)}`)
        tallies.peakMemory = Math.max(tallies.peakMemory, await node.peakMemory().catch(() => 0))
      }
      expect(tallies.peakMemory, 'memory of a node').toBeLessThan(MOST_MEMORY)
      await delay(250)
    }
  }
  const observe = async (): Promise<void> => {
    const observer = new Observer(wire)
    while (goesOn() && !traits.isPlainTus) {
      for (const client of clients.begun) await observer.look(client)
      await delay(20)
    }
  }
  const guarded = (work: Promise<void>): Promise<void> => work.catch((error: unknown) => void faults.push(error))
  try {
    const director = new Director({ world, clients, random: new Random(seed, 2), kills, others, goesOn })
    await Promise.all([...Array.from({ length: SLOTS }, slot), watcher(), observe(), director.run()].map(guarded))
    for (const fault of faults) throw fault
    for (const one of kept) await check(one)
    expect(world.output, 'what nodes wrote').not.toMatch(/unhandled|uncaught/i)
    await expectNothingLeft(world, new Set(kept.flatMap(({ ending }) => [ending.fileId, ending.id])))
    for (const one of kept) await check(one)
    if (!traits.isPlainTus)
      await expectTold(
        world.receiver,
        kept.map(({ ending }) => ending.fileId),
        unfinished,
      )
    for (let at = 0; at < traits.nodes; at += 1)
      if (world.node(at) !== null) expect(await world.end(at, 'SIGTERM')).toBe(0)
  } catch (error) {
    const log = await keepOutput(`${traits.combination.replace('/', '-')}-${seed}.log`, world.output)
    console.log(
      `${traits.combination}, seed ${seed}, after ${seconds().toFixed()} s. What the nodes wrote: ${log}\n${error instanceof Error ? error.message : String(error)}`,
    )
    throw error
  } finally {
    wire.close()
    await world.close()
  }
  return { ...tallies, others, seconds: seconds() }
}

/** An error with what can be seen of its upload. */
async function traced(world: World, wire: SprayWire, error: unknown, id: string | null): Promise<Error> {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (id === null) return new Error(text, { cause: error })
  const progress = await wire.send('GET', `/api/v1/uploads/${id}/progress`, { patienceMs: 4000 }).catch(String)
  const told = typeof progress === 'string' ? progress : `${progress.status} ${progress.body.toString()}`
  const fileId = /"fileId":"([^"]+)"/.exec(told)?.[1] ?? id
  const keys = world.bucket === null ? [] : await keysWith(world.bucket, [id, fileId])
  return new Error(`${text}\nUpload ${id}: ${told}\n${keys.join('\n')}`, { cause: error })
}

/** Keeps what nodes wrote, for people. Returns where. */
async function keepOutput(name: string, output: string): Promise<string> {
  const folder = fileURLToPath(new URL('../../../.cache/faults', import.meta.url))
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, name), output)
  return join(folder, name)
}

async function removeFile(wire: SprayWire, fileId: string): Promise<void> {
  for (;;) {
    const answer = await wire.send('DELETE', `/api/v1/files/${fileId}`, { patienceMs: 4000 }).catch(() => null)
    if (answer !== null && [200, 404, 410].includes(answer.status)) return
    if (answer !== null && ![423, 503, 507].includes(answer.status))
      throw new Error(`DELETE of a file was answered with ${answer.status} ${answer.body.toString()}`)
    await delay(60)
  }
}

/**
 * Lets all that is unfinished expire, and sees that nothing is left of it but the records of its end; and a day later not
 * even those.
 */
async function expectNothingLeft(world: World, finished: ReadonlySet<string>): Promise<void> {
  await world.settled()
  for (let at = 0; at < world.traits.nodes; at += 1) await world.end(at, 'SIGTERM')
  // What is rebuilt from storage has a full period.
  await world.flush()
  await world.begin(0, { EXPIRES_AFTER }, LATER_MS)
  const left = (records: boolean) => (): Promise<string[]> =>
    world.bucket === null
      ? leftoversOnDisk(join(world.directory, 'data'), finished, records)
      : leftoversInBucket(world.bucket, finished, records)
  expect(await whenNoLess(left(true)), 'left after expiry').toEqual([])
  await world.end(0, 'SIGTERM')

  const sweeper = await sweepADayLater(world)
  expect(await whenNoLess(left(false)), 'left a day later').toEqual([])
  await sweeper.close()
  await world.begin(0)
}

/** Whoever listens was told of every finished file, and of no other. */
async function expectTold(
  { events, faults }: WebhookReceiver,
  fileIds: readonly string[],
  unfinished: ReadonlySet<string>,
): Promise<void> {
  const completed = () => events.filter(({ type }) => type === 'upload.completed')
  const untold = (): string[] => {
    const told = new Set(completed().map(({ data }) => data['id']))
    return fileIds.filter((id) => !told.has(id))
  }
  await expect.poll(untold, { message: 'files of which nobody was told', timeout: 30_000 }).toEqual([])
  expect(
    completed().filter(({ data }) => unfinished.has(String(data['uploadId']))),
    'told of what is no file',
  ).toEqual([])
  expect(faults, 'what was told').toEqual([])
}

/** What is left when nothing is, or when it has not become less for a while. */
async function whenNoLess(left: () => Promise<string[]>): Promise<string[]> {
  let least = Infinity
  for (let since = performance.now(); ; await delay(250)) {
    const now = await left()
    if (now.length === 0 || performance.now() - since > PATIENCE_MS) return now
    if (now.length < least) since = performance.now()
    least = Math.min(least, now.length)
  }
}

/** A node whose clock is a day ahead: it sweeps when it begins. */
async function sweepADayLater({ bucket, directory }: World): Promise<{ close(): Promise<void> }> {
  const client = new S3Client({ ...s3ClientOptions(), ...s3Service() })
  const uploads = createUploads({
    storage:
      bucket === null ? new FileStorage({ directory: join(directory, 'data') }) : new S3Storage({ client, bucket }),
    state: new MemoryState(),
    now: () => Date.now() + DAY_MS,
  })
  await uploads.open()
  return {
    close: async () => {
      await uploads.close()
      client.destroy()
    },
  }
}
