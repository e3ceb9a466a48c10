import { cp, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createUploads, type Uploads } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { gridOf } from '../../src/upload.ts'
import { bytesOf, Random, runSeed, sha256Of } from '../support/byte-source.ts'
import { drawn } from '../support/cases.ts'
import { Wire } from '../support/http-wire.ts'
import { inTurns } from '../support/raw-request.ts'
import { startServerProcess } from '../support/server-process.ts'
import { makeTempDir, tempDir } from '../support/temp-dir.ts'
import { initiated, JsonDriver, storedChunk, TusDriver } from '../support/upload-drivers.ts'

const CHUNK = 20_000
const SIZE = 5 * CHUNK + 1234
const BYTES = bytesOf(41, SIZE)
const CALLER = { principal: null }
/** Of so many cuts one upload is finished. */
const SAMPLE = 8
/** Cuts that are tried at the same time. */
const PARALLEL = 8

/** What was sent, in this order: a chunk over the JSON face, or an append over tus that ends so far. */
type Step = { readonly chunk: number } | { readonly appendTo: number }

/** A journal line, as it stands in the file. */
interface Line {
  /** Where the line ends, bytes. */
  readonly end: number
  readonly change: {
    readonly type: string
    readonly entry?: { readonly number: number; readonly size: number }
    readonly tail?: { readonly number: number; readonly size: number }
  }
}

/** What a ledger holds, to be compared. */
interface Kept {
  readonly chunks: readonly number[]
  readonly tail: { readonly number: number; readonly size: number } | null
  readonly offset: number
}

const seed = runSeed()
const random = new Random(seed)

describe.each<{ readonly name: string; readonly steps: readonly Step[] }>([
  {
    name: 'a chunk behind a gap, and a tail',
    steps: [{ chunk: 1 }, { chunk: 0 }, { chunk: 4 }, { appendTo: 2 * CHUNK + 777 }],
  },
  {
    name: 'a tail, and the chunk that it became, before a chunk behind it',
    steps: [{ chunk: 3 }, { appendTo: CHUNK }, { appendTo: CHUNK + 4321 }, { appendTo: 2 * CHUNK }],
  },
  {
    name: 'two tails, the second longer',
    steps: [{ chunk: 5 }, { chunk: 0 }, { appendTo: CHUNK + 11 }, { appendTo: 2 * CHUNK - 1 }],
  },
])('a journal that ends with $name', ({ steps }) => {
  it('counts up to its last whole line, wherever in its last two lines it is cut', { timeout: 60_000 }, async () => {
    const origin = await tempDir()
    const id = await write(origin, steps)
    const journal = await readFile(journalOf(origin, id))
    const lines = linesOf(journal)
    const from = lines.at(-3)?.end ?? 0
    expect(lines.at(-1)?.end).toBe(journal.length)
    const cuts = Array.from({ length: journal.length - from + 1 }, (_, n) => from + n)
    expect(cuts.length).toBeGreaterThan(150)
    // All that are near the end of a line, and some of the others.
    const isNear = (cut: number): boolean => lines.some(({ end }) => Math.abs(cut - end) <= 3)
    const chosen = drawn(cuts, (cut) => (isNear(cut) ? `at ${cut}` : 'elsewhere'), 40, random)
    console.log(`${chosen.length} of ${cuts.length} cuts; HOLDFAST_SEED=${seed} draws the same`)
    await inTurns(chosen, PARALLEL, (cut, n) => tryCut(origin, id, lines, cut, n % SAMPLE === 0))
  })
})

/** Has a real server write an upload, and kills it. */
async function write(directory: string, steps: readonly Step[]): Promise<string> {
  const server = await startServerProcess(directory)
  const wire = new Wire(server.url)
  const json = new JsonDriver(wire)
  const { id } = initiated(await json.initiate(SIZE, 'cut.bin', CHUNK))
  let offset = 0
  for (const step of steps) {
    if ('chunk' in step) {
      storedChunk(await json.putChunk(id, step.chunk, chunkOf(step.chunk)))
    } else {
      offset = Number((await new TusDriver(wire).head(id)).headers['upload-offset'])
      const answer = await new TusDriver(wire).patch(id, offset, BYTES.subarray(offset, step.appendTo))
      expect(answer.status).toBe(204)
    }
  }
  await server.kill()
  wire.close()
  return id
}

/** Cuts a copy, loads it, goes on with it, loads it again, and may have it finished. */
async function tryCut(
  origin: string,
  id: string,
  lines: readonly Line[],
  cut: number,
  isFinished: boolean,
): Promise<void> {
  const directory = await makeTempDir()
  try {
    await cp(origin, directory, { recursive: true })
    await truncate(journalOf(directory, id), cut)
    const expected = keptBy(lines.filter(({ end }) => end <= cut))

    // An append after the cut must not be swallowed by what is left of the torn line.
    const next = [0, 1, 2, 3, 4].find((number) => !expected.chunks.includes(number)) ?? 5
    await withUploads(directory, async (uploads) => {
      expect(await keptIn(uploads, id), `cut at ${cut}`).toEqual(expected)
      const { entry } = await uploads.putChunk(
        id,
        { number: next, body: body(chunkOf(next)), contentLength: null },
        CALLER,
      )
      expect(entry).toMatchObject({ number: next, sha256: sha256Of(chunkOf(next)) })
    })
    await withUploads(directory, async (uploads) => {
      const { chunks, offset } = await keptIn(uploads, id)
      expect(chunks, `cut at ${cut}, after the next chunk`).toEqual(
        [...expected.chunks, next].toSorted((a, b) => a - b),
      )
      expect(offset).toBeGreaterThan(expected.offset)
      if (isFinished) await finish(uploads, id, directory)
    })
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Sends the rest by one append, which meets the chunks that are there, and completes. */
async function finish(uploads: Uploads, id: string, directory: string): Promise<void> {
  const { offset } = await keptIn(uploads, id)
  await uploads.append(id, { offset, body: body(BYTES.subarray(offset)), contentLength: SIZE - offset }, CALLER)
  const { file } = await uploads.complete(id, {}, CALLER)
  expect(file).toMatchObject({ size: SIZE, checksum: sha256Of(BYTES) })
  expect((await readFile(join(directory, 'files', file.id))).equals(BYTES)).toBe(true)
}

async function withUploads(directory: string, work: (uploads: Uploads) => Promise<void>): Promise<void> {
  const uploads = createUploads({ storage: new FileStorage({ directory, fsync: 'off' }), chunkSize: CHUNK })
  await uploads.open()
  try {
    await work(uploads)
  } finally {
    await uploads.close()
  }
}

async function keptIn(uploads: Uploads, id: string): Promise<Kept> {
  const upload = await uploads.find(id, CALLER)
  const { chunks, tail } = upload.ledger
  return {
    chunks: [...chunks.keys()].toSorted((a, b) => a - b),
    tail: tail === null ? null : { number: tail.number, size: tail.size },
    offset: upload.ledger.offset(gridOf(upload)),
  }
}

/** What whole lines say, told without the ledger. */
function keptBy(lines: readonly Line[]): Kept {
  const chunks = lines.flatMap(({ change }) => (change.entry === undefined ? [] : [change.entry.number]))
  let run = 0
  while (chunks.includes(run)) run += 1
  const tails = lines.flatMap(({ change }) => (change.tail?.number === run ? [change.tail] : []))
  const size = Math.max(0, ...tails.map((tail) => tail.size))
  return {
    chunks: chunks.toSorted((a, b) => a - b),
    tail: size === 0 ? null : { number: run, size },
    offset: run * CHUNK + size,
  }
}

/** The lines of a journal after its header. */
function linesOf(journal: Buffer): Line[] {
  const lines: Line[] = []
  for (let at = journal.indexOf('\n') + 1; at < journal.length; ) {
    const end = journal.indexOf('\n', at) + 1
    const text = journal.toString('utf8', at, end)
    lines.push({ end, change: JSON.parse(text.slice(text.indexOf('{'))) as Line['change'] })
    at = end
  }
  return lines
}

function journalOf(directory: string, id: string): string {
  return join(directory, 'uploads', id, 'journal')
}

function chunkOf(number: number): Buffer {
  return BYTES.subarray(number * CHUNK, (number + 1) * CHUNK)
}

function body(bytes: Buffer): Readable {
  return Readable.from([bytes], { objectMode: false })
}
