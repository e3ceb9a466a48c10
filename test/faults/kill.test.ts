import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Random, runSeed, sha256Of } from '../support/byte-source.ts'
import { cases } from '../support/cases.ts'
import { ConnectionLost } from '../support/http-wire.ts'
import {
  KilledJsonUpload,
  KilledSharedUpload,
  KilledTusUpload,
  type KilledUpload,
  type Place,
} from '../support/killed-uploads.ts'
import { serveUploads } from '../support/served-uploads.ts'
import { drawKillPlan, ServerLife } from '../support/server-life.ts'
import { startServerProcess } from '../support/server-process.ts'
import { SmallJsonUpload } from '../support/small-uploads.ts'
import { tempDir } from '../support/temp-dir.ts'

/** Kills of each face that must have caught a partly acknowledged upload of it. */
const KILLS_PER_FACE = cases(12)
const MOST_LIVES = cases(60)
/** Kills that must have come in the midst of a completion. */
const KILLS_AT_END = cases(2)
/** Uploads that run at the same time. */
const SLOTS = [KilledTusUpload, KilledJsonUpload, KilledTusUpload, KilledJsonUpload, KilledSharedUpload] as const
const FACES = ['tus', 'json', 'both'] as const

type Face = KilledUpload['face']

/** Clients with uploads, which outlive every server. */
class Clients {
  readonly kills: Record<Face, number> = { tus: 0, json: 0, both: 0 }
  readonly pairs: Record<Face, number> = { tus: 0, json: 0, both: 0 }
  finished = 0
  readonly #place: Omit<Place, 'index'>
  readonly #slots: (KilledUpload | null)[] = SLOTS.map(() => null)
  #begun = 0

  constructor(place: Omit<Place, 'index'>) {
    this.#place = place
  }

  /** What a kill in this moment catches. */
  count(): void {
    const caught = this.#slots.filter((upload) => upload?.isCaught === true)
    for (const face of FACES) {
      const pairs = caught.filter((upload) => upload?.face === face).length
      this.pairs[face] += pairs
      if (pairs > 0) this.kills[face] += 1
    }
  }

  get done(): boolean {
    const { tus, json, both } = this.kills
    return Math.min(tus, json) >= KILLS_PER_FACE && both >= KILLS_PER_FACE / 6
  }

  /** Goes on with every upload until the life is over; without a kill, until those that were begun are finished. */
  async live(life: ServerLife): Promise<void> {
    const faults: unknown[] = []
    const guarded = (work: Promise<void>): Promise<void> =>
      work.catch((reason: unknown) => {
        // Of a server that was killed a lost connection is no fault; of one that was not, it is.
        if (life.over && reason instanceof ConnectionLost) return
        faults.push(reason)
        life.stop()
      })
    await Promise.all([...SLOTS.map((_, slot) => guarded(this.#run(slot, life))), guarded(this.#watch(life))])
    await life.ended()
    for (const fault of faults) throw fault
  }

  async #run(slot: number, life: ServerLife): Promise<void> {
    const goesOn = life.plan.at !== 'never'
    for (;;) {
      const Upload = SLOTS[slot] ?? KilledTusUpload
      const upload = this.#slots[slot] ?? (goesOn ? new Upload({ ...this.#place, index: this.#begun++ }) : null)
      this.#slots[slot] = upload
      if (upload === null) return
      await upload.live(life)
      this.#slots[slot] = null
      this.finished += 1
    }
  }

  /** Looks at the progress of every upload again and again, in the midst of everything. */
  async #watch(life: ServerLife): Promise<void> {
    while (!life.over && this.#slots.some((upload) => upload !== null)) {
      for (const upload of this.#slots) await upload?.check(life)
      await delay(20)
    }
  }
}

describe('a file whose record a kill has left without its checksum', () => {
  it('is given it, in the answer to complete and in the record', async () => {
    const directory = await tempDir()
    const first = await serveUploads({ directory })
    const upload = new SmallJsonUpload({ seed: 61, size: 10_000, chunkSize: 4096 })
    await upload.begin(first.wire)
    while (!upload.isSent) await upload.step(first.wire)
    const fileId = await upload.complete(first.wire)
    const path = join(directory, 'files', `${fileId}.json`)
    const record = async () => JSON.parse(await readFile(path, 'utf8')) as { readonly checksum: string | null }
    await expect.poll(async () => (await record()).checksum).toBe(sha256Of(upload.bytes))
    await first.close()
    // The journal has the digest; the kill came before the file's record was replaced.
    await writeFile(path, `${JSON.stringify({ ...(await record()), checksum: null })}\n`)

    const second = await serveUploads({ directory })
    onTestFinished(() => second.close())
    await upload.complete(second.wire)
    await expect.poll(async () => (await record()).checksum).toBe(sha256Of(upload.bytes))
  })
})

describe('a server that is killed while bodies are being received', () => {
  it('goes on after every kill with all that it acknowledged, and finishes every file', {
    timeout: 180_000 * cases(1),
  }, async () => {
    const seed = runSeed()
    console.log(`kill test: HOLDFAST_SEED=${seed} plays the same kills again`)
    const dataDir = await tempDir()
    const random = new Random(seed)
    const clients = new Clients({ dataDir, seed })
    const plans: Record<string, number> = {}

    let lives = 0
    while ((!clients.done || (plans['end'] ?? 0) < KILLS_AT_END) && lives < MOST_LIVES) {
      lives += 1
      const plan = drawKillPlan(random)
      plans[plan.at] = (plans[plan.at] ?? 0) + 1
      const server = await startServerProcess(dataDir, { CHUNK_SIZE: '256KiB' })
      const life = new ServerLife(server, plan, () => clients.count())
      try {
        await clients.live(life)
      } catch (error) {
        console.log(
          `life ${lives} of the kill test, ${JSON.stringify(plan)}, HOLDFAST_SEED=${seed}\n${server.output()}`,
        )
        throw error
      } finally {
        await server.kill()
      }
    }
    // What is begun is finished without a kill.
    const server = await startServerProcess(dataDir, { CHUNK_SIZE: '256KiB' })
    await clients.live(new ServerLife(server, { at: 'never' }, () => {}))
    expect(await server.kill('SIGTERM')).toBe(0)

    const { kills, pairs, finished } = clients
    console.log(`kill test: ${lives} lives, ${finished} files finished`, { plans, kills, pairs })
    expect(Math.min(kills.tus, kills.json)).toBeGreaterThanOrEqual(KILLS_PER_FACE)
    expect(kills.both).toBeGreaterThanOrEqual(KILLS_PER_FACE / 6)
    expect(plans['end']).toBeGreaterThanOrEqual(KILLS_AT_END)
    expect(finished).toBeGreaterThanOrEqual(2)
  })
})
