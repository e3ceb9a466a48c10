import { cp, readFile, rm } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { chunkStart } from '../../src/grid.ts'
import { FileStorage, type Fsync } from '../../src/storage/file/index.ts'
import { decodeJournal } from '../../src/storage/file/journal-format.ts'
import { gridOf, type StoredUpload } from '../../src/upload.ts'
import { bytesOf, Random, runSeed, sha256Of } from '../support/byte-source.ts'
import { drawn } from '../support/cases.ts'
import { type CallFault, FaultLayer, type LayerCall } from '../support/fault-layer.ts'
import { serveUploads } from '../support/served-uploads.ts'
import { SMALL_UPLOADS, type SmallFile, SmallTusUpload, type SmallUpload } from '../support/small-uploads.ts'
import { inTurns } from '../support/raw-request.ts'
import { makeTempDir, tempDir } from '../support/temp-dir.ts'
import { JsonDriver, storedChunk, TusDriver, UnexpectedAnswer } from '../support/upload-drivers.ts'

const FILE: SmallFile = { seed: 11, size: 14_000, chunkSize: 4096 }
/** Lives that are lived at the same time. */
const PARALLEL = 6
/** Requests that are made again before a client gives up. */
const MOST_RETRIES = 6
/** What a client is told of a disk that fails: passing trouble, on each face in its own way. */
const TROUBLE = { tus: 423, JSON: 503 } as const

/** Makes one call fail, and watches that no durable byte is written again. */
class OneFault {
  readonly layer = new FaultLayer()
  readonly calls: LayerCall['name'][] = []
  /** The call that failed. */
  failed: LayerCall | null = null
  readonly rewritten: string[] = []

  constructor(nth: number, when: CallFault['when']) {
    this.layer.plan = (call) => {
      this.#watch(call)
      if (this.calls.push(call.name) !== nth) return null
      this.failed = call
      return { when, code: 'EIO' }
    }
  }

  off(): void {
    this.layer.plan = () => null
  }

  #watch({ name, path, write }: LayerCall): void {
    // Bytes that are written as they were read, after a failed fsync, come through a file opened in another way.
    if (name !== 'writev' || !path.endsWith('/data') || typeof write?.flags !== 'number') return
    const { changes } = decodeJournal(readFileSync(join(dirname(path), 'journal')))
    for (const change of changes) {
      if (change.type !== 'chunk' && change.type !== 'tail') continue
      const { number, size } = change.type === 'chunk' ? change.entry : change.tail
      const start = chunkStart({ chunkSize: FILE.chunkSize, size: FILE.size }, number)
      const apart = write.position >= start + size || write.position + write.bytes.length <= start
      if (!apart) this.rewritten.push(`${write.bytes.length} bytes at ${write.position}, in a durable ${change.type}`)
    }
  }
}

/** One life of an upload with one failing call. */
class Story {
  readonly fault: OneFault
  /** Answers other than the trouble that a failing disk is. */
  readonly oddAnswers: string[] = []
  readonly #face: keyof typeof TROUBLE

  constructor(face: keyof typeof TROUBLE, fault: OneFault) {
    this.#face = face
    this.fault = fault
  }

  async play(directory: string, fsync: Fsync, upload: SmallUpload): Promise<void> {
    const { layer } = this.fault
    const { plan } = layer
    layer.plan = () => null
    const served = await serveUploads({ directory, fsync, layer }, { chunkSize: FILE.chunkSize })
    layer.plan = plan
    try {
      await this.#retrying(() => upload.begin(served.wire))
      while (!upload.isSent) {
        const before = this.fault.failed
        await this.#retrying(() => upload.step(served.wire))
        if (this.fault.failed !== before) await this.#checkKept(directory, upload)
      }
      let fileId = ''
      await this.#retrying(async () => {
        fileId = await upload.complete(served.wire)
      }, 503)
      expect((await readFile(join(directory, 'files', fileId))).equals(upload.bytes)).toBe(true)
      await this.#retrying(async () => {
        const { status } = await upload.check(served.wire)
        expect(status).toBe('uploaded')
      }, 503)
    } finally {
      this.fault.off()
      await served.close()
    }
    await this.#checkKept(directory, upload)
  }

  /** Makes a request until it succeeds, as clients do. */
  async #retrying(request: () => Promise<void>, trouble: number = TROUBLE[this.#face]): Promise<void> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof UnexpectedAnswer) || retries >= MOST_RETRIES) throw error
        if (error.answer.status !== trouble) this.oddAnswers.push(error.message)
      }
    }
  }

  /** What a process would find that came after a kill in this moment: all that was acknowledged. */
  async #checkKept(from: string, upload: SmallUpload): Promise<void> {
    const stored = await loadAfterKill(from, upload.id)
    const { offset, chunks } = upload.kept()
    expect(stored.ledger.offset(gridOf(stored))).toBeGreaterThanOrEqual(offset)
    expect([...stored.ledger.chunks.keys()]).toEqual(expect.arrayContaining([...chunks]))
  }
}

/** What a new process knows of an upload when the one that has the directory is killed now. */
async function loadAfterKill(from: string, id: string): Promise<StoredUpload> {
  const directory = await copyOf(from)
  const storage = new FileStorage({ directory })
  await storage.open()
  const stored = await storage.load(id)
  await storage.close()
  await rm(directory, { recursive: true })
  if (stored === null) throw new Error('The upload is gone.')
  return stored
}

/** A copy of a directory as it is now, without its owner. */
async function copyOf(from: string): Promise<string> {
  const directory = await makeTempDir()
  for (const name of ['uploads', 'files']) {
    await cp(join(from, name), join(directory, name), { recursive: true, force: true })
  }
  return directory
}

/** One life in a new directory, and what was wrong with it. */
async function live(
  face: keyof typeof TROUBLE,
  fsync: Fsync,
  upload: SmallUpload,
  nth: number,
  when: CallFault['when'],
): Promise<Pick<OneFault, 'failed' | 'calls'> & { readonly found: readonly string[] }> {
  const fault = new OneFault(nth, when)
  const story = new Story(face, fault)
  const found: string[] = []
  const directory = await makeTempDir()
  try {
    await story.play(directory, fsync, upload)
  } catch (error) {
    found.push(error instanceof Error ? error.message : String(error))
  }
  await rm(directory, { recursive: true })
  found.push(...story.oddAnswers, ...fault.rewritten.map((what) => `${what} written again`))
  const { failed, calls } = fault
  return { failed, calls, found: found.map((what) => `${where(fault, nth)}: ${what}`) }
}

const seed = runSeed()
const random = new Random(seed)

describe('a disk of which any one call fails', () => {
  const rejections: unknown[] = []
  const onRejection = (reason: unknown): void => void rejections.push(reason)
  beforeEach(() => void process.on('unhandledRejection', onRejection))
  afterEach(() => void process.off('unhandledRejection', onRejection))

  describe.each(SMALL_UPLOADS)('over %s', (face, Upload) => {
    it.each([
      ['before it took effect', 'complete', 'before'],
      ['after it took effect', 'complete', 'after'],
      ['before it took effect', 'chunk', 'before'],
      ['after it took effect', 'chunk', 'after'],
    ] as const)('%s, with FSYNC=%s, costs a retry and nothing else', { timeout: 120_000 }, async (_, fsync, when) => {
      const { calls, found } = await live(face, fsync, new Upload(FILE), 0, when)
      const all = calls.map((name, index) => ({ name, nth: index + 1 }))
      const chosen = drawn(all, ({ name }) => name, fsync === 'complete' ? 1 : 0, random)
      const faults = [...found]
      const names = new Map<string, number>()
      // Several lives at a time, each in a directory of its own.
      await inTurns(chosen, PARALLEL, async ({ nth }) => {
        // Which calls there are differs a little, as what is read ahead comes as it comes: of fewer an earlier one fails.
        for (let at = nth; at > 0; at -= 5) {
          const { failed, found } = await live(face, fsync, new Upload(FILE), at, when)
          faults.push(...found)
          if (failed === null) continue
          names.set(failed.name, (names.get(failed.name) ?? 0) + 1)
          break
        }
      })
      const count = [...names.values()].reduce((sum, one) => sum + one, 0)
      const what = `failed ${count} of ${calls.length} calls ${when} they took effect`
      console.log(`${face}, FSYNC=${fsync}: ${what}; HOLDFAST_SEED=${seed} draws the same`, Object.fromEntries(names))
      expect(faults).toEqual([])
      expect(rejections).toEqual([])
      expect(calls.length).toBeGreaterThan(40)
      expect(count).toBe(chosen.length)
    })
  })
})

describe('a last chunk that is recorded, but not that the upload is completing', () => {
  it('is not written over: what is acknowledged for it next is so after a kill, too', async () => {
    const directory = await tempDir()
    const layer = new FaultLayer()
    const served = await serveUploads({ directory, layer }, { chunkSize: FILE.chunkSize })
    onTestFinished(() => served.close())
    const upload = new SmallTusUpload(FILE)
    await upload.begin(served.wire)
    const start = 3 * FILE.chunkSize
    const tus = new TusDriver(served.wire)
    expect((await tus.patch(upload.id, 0, upload.bytes.subarray(0, start))).status).toBe(204)
    layer.plan = ({ name, path, write }) => {
      const hit = name === 'writev' && path.endsWith('/journal') && write?.bytes.includes('"completing"') === true
      return hit ? { when: 'before', code: 'EIO' } : null
    }
    expect((await tus.patch(upload.id, start, upload.bytes.subarray(start))).status).toBe(423)

    // Somebody else has other bytes for the same chunk. He may be refused; what he is promised must hold.
    const other = bytesOf(99, FILE.size - start)
    const answer = await new JsonDriver(served.wire).putChunk(upload.id, 3, other)
    const copy = await copyOf(directory)
    onTestFinished(() => rm(copy, { recursive: true }))
    const next = await serveUploads({ directory: copy }, { chunkSize: FILE.chunkSize })
    onTestFinished(() => next.close())
    const json = new JsonDriver(next.wire)
    if (answer.status === 200) {
      const again = storedChunk(await json.putChunk(upload.id, 3, other))
      expect(again).toMatchObject({ checksum: sha256Of(other) })
    } else {
      expect(answer.status).toBe(409)
      const again = storedChunk(await json.putChunk(upload.id, 3, upload.bytes.subarray(start)))
      expect(again).toMatchObject({ checksum: sha256Of(upload.bytes.subarray(start)) })
      await upload.complete(next.wire)
    }
  })
})

describe('a shutdown in which any one call on files fails', () => {
  it.each(['before', 'after'] as const)(
    'keeps the bytes of open bodies (%s it took effect)',
    { timeout: 60_000 },
    async (when) => {
      const faults: string[] = []
      const names: string[] = []
      for (let nth = 1, over = false; !over; nth += 1) {
        const fault = new OneFault(nth, when)
        const { offset, acknowledged, received, settled } = await shutDown(fault)
        const { failed } = fault
        if (failed !== null) names.push(failed.name)
        over = failed === null
        if (!settled) faults.push(`${where(fault, nth)}: the process ends while a body is still being kept`)
        // Where the call was one on the upload's own files, the client has been told of less.
        const least = failed?.path.includes('/uploads/') === true ? acknowledged : received
        if (offset < least) faults.push(`${where(fault, nth)}: ${offset} of ${least} bytes are left`)
      }
      console.log(`shutdown: failed ${names.length} calls ${when} they took effect: ${names.join(' ')}`)
      expect(faults).toEqual([])
      expect(names.length).toBeGreaterThan(5)
    },
  )
})

/** Shuts down with a tus body open, and tells what a next process finds. */
async function shutDown(fault: OneFault): Promise<{
  readonly offset: number
  readonly acknowledged: number
  /** Bytes that had been read from the client. */
  readonly received: number
  /** Whether the body was done with when the shutdown was over. */
  readonly settled: boolean
}> {
  const directory = await makeTempDir()
  const { layer } = fault
  const { plan } = layer
  fault.off()
  const served = await serveUploads({ directory, layer }, { chunkSize: FILE.chunkSize })
  const { uploads, wire } = served
  const upload = new SmallTusUpload(FILE)
  await upload.begin(wire)
  await upload.step(wire)
  const { acknowledged } = upload
  const received = acknowledged + 1000
  let settled = false
  const body = new PassThrough()
  const input = { offset: acknowledged, body, contentLength: FILE.size - acknowledged }
  const end = uploads.append(upload.id, input, { principal: null }).then(
    () => {},
    () => {},
  )
  void end.then(() => (settled = true))
  body.write(upload.bytes.subarray(acknowledged, received))
  while (body.listenerCount('data') === 0) await delay(1)
  while (body.readableLength > 0 || body.writableLength > 0) await delay(1)
  layer.plan = plan
  await uploads.close().catch(() => {})
  // In this moment the process ends.
  const state = { acknowledged, received, settled }
  await end
  fault.off()
  const stored = await loadAfterKill(directory, upload.id)
  await served.close().catch(() => {})
  await rm(directory, { recursive: true })
  return { ...state, offset: stored.ledger.offset(gridOf(stored)) }
}

function where({ failed }: OneFault, nth: number): string {
  return failed === null
    ? 'without a fault'
    : `call ${nth}, ${failed.name} on ${failed.path.split('/').slice(3).join('/')}`
}
