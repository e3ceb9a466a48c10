import { createHash } from 'node:crypto'
import { Digests, type DigestSource } from '../../src/checksum/digests.ts'
import { chunkLength } from '../../src/grid.ts'
import { type ChunkEntry, Ledger } from '../../src/ledger.ts'
import { gridOf, type StoredUpload, type Upload } from '../../src/upload.ts'
import { aManifest, anEntry, anUpload } from './upload-samples.ts'

/** Bytes of a chunk of these uploads. */
export const CHUNK_SIZE = 4

/** Resolves when the event loop has had a turn. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What is asked of a source. */
export type Call = 'find' | 'read' | 'piece' | 'keep'

/** Uploads in memory. Every call passes `before`, which may delay it or fail it. */
export class FakeSource implements DigestSource {
  readonly kept: [id: string, sha256: string][] = []
  readonly errors: [error: unknown, where: string][] = []
  readonly reads: [id: string, start: number, end: number][] = []
  reading = 0
  mostReading = 0
  finds = 0
  before: (call: Call, id: string) => Promise<void> | void = () => {}
  onReported: () => void = () => {}
  readonly #uploads = new Map<string, Upload>()
  readonly #bytes = new Map<string, Buffer>()

  /** An upload of these bytes, of which no chunk is durable yet. */
  begin(id: string, bytes: Buffer): void {
    this.#bytes.set(id, bytes)
    const manifest = aManifest({ id, chunkSize: CHUNK_SIZE, size: bytes.length })
    this.#uploads.set(id, anUpload({ manifest, ledger: new Ledger() }))
  }

  change(id: string, parts: Partial<Upload>): void {
    this.#uploads.set(id, { ...this.upload(id), ...parts })
  }

  upload(id: string): Upload {
    const upload = this.#uploads.get(id)
    if (upload === undefined) throw new Error(`no upload ${id}`)
    return upload
  }

  /** These chunks become durable. */
  add(id: string, ...numbers: number[]): void {
    const upload = this.upload(id)
    for (const number of numbers) upload.ledger.add(anEntry(number, { size: chunkLength(gridOf(upload), number) }))
  }

  /** The bytes of a chunk. */
  chunk(id: string, number: number): Buffer {
    return (this.#bytes.get(id) ?? Buffer.alloc(0)).subarray(number * CHUNK_SIZE, (number + 1) * CHUNK_SIZE)
  }

  /** A chunk as it is recorded. */
  entry(id: string, number: number): ChunkEntry {
    const entry = this.upload(id).ledger.chunks.get(number)
    if (entry === undefined) throw new Error(`chunk ${number} is not durable`)
    return entry
  }

  /** A chunk was lost, and has come again with other bytes. */
  replace(id: string, number: number, text: string): void {
    const bytes = Buffer.from(this.#bytes.get(id) ?? '')
    bytes.write(text, number * CHUNK_SIZE)
    this.#bytes.set(id, bytes)
    const chunks = [...this.upload(id).ledger.chunks.values()]
    const others = chunks.map((one) => (one.number === number ? { ...one, sha256: `of ${text}` } : one))
    this.change(id, { ledger: Ledger.of(others) })
  }

  /** What was read of an upload, in order. */
  readsOf(id: string): [start: number, end: number][] {
    return this.reads.filter((read) => read[0] === id).map(([, start, end]) => [start, end])
  }

  sha256(id: string): string {
    return createHash('sha256')
      .update(this.#bytes.get(id) ?? '')
      .digest('hex')
  }

  async find(id: string): Promise<StoredUpload | null> {
    this.finds += 1
    const upload = this.#uploads.get(id)
    // As it is now: a state that lives elsewhere sends a copy, which takes its time.
    const snapshot = upload === undefined ? null : { ...upload, ledger: upload.ledger.copy() }
    await this.before('find', id)
    return snapshot
  }

  async *read({ manifest: { id }, ledger }: StoredUpload, start: number, end: number): AsyncIterable<Buffer> {
    this.reads.push([id, start, end])
    this.reading += 1
    this.mostReading = Math.max(this.mostReading, this.reading)
    try {
      await this.before('read', id)
      const last = Math.ceil(end / CHUNK_SIZE)
      for (let n = Math.floor(start / CHUNK_SIZE); n < last; n += 1) {
        if (!ledger.chunks.has(n)) throw new Error(`chunk ${n} is not durable`)
      }
      for (let at = start; at < end; at += 3) {
        yield this.#bytes.get(id)?.subarray(at, Math.min(end, at + 3)) ?? Buffer.alloc(0)
        await this.before('piece', id)
      }
    } finally {
      this.reading -= 1
    }
  }

  /** What the thread may read by itself, by the id of the upload. */
  readonly files = new Map<string, readonly string[]>()

  paths({ manifest: { id } }: StoredUpload): readonly string[] {
    return this.files.get(id) ?? []
  }

  async keep(id: string, sha256: string): Promise<void> {
    await this.before('keep', id)
    this.kept.push([id, sha256])
    this.change(id, { digest: sha256 })
  }

  onError(error: unknown, where: string): void {
    this.errors.push([error, where])
    this.onReported()
  }
}

/** Digests of files in memory, of which no chunk is durable yet. */
export function makeDigests(files: Readonly<Record<string, string>> = { a: 'abcdefghij' }) {
  const source = new FakeSource()
  for (const [id, text] of Object.entries(files)) source.begin(id, Buffer.from(text))
  return { source, digests: new Digests(source) }
}

/** Holds calls up until they are let go, one by one or all. */
export function gate(source: FakeSource, held: (call: Call, id: string) => boolean) {
  const waiting: { readonly id: string; readonly go: () => void }[] = []
  let closed = true
  let onArrival = (): void => {}
  source.before = (call, id) => {
    if (!closed || !held(call, id)) return undefined
    return new Promise((resolve) => {
      waiting.push({ id, go: resolve })
      onArrival()
    })
  }
  return {
    ids: () => waiting.map(({ id }) => id),
    arrived: async (count: number): Promise<void> => {
      while (waiting.length < count) await new Promise<void>((resolve) => (onArrival = resolve))
    },
    letOne: () => waiting.shift()?.go(),
    open: () => {
      closed = false
      for (const { go } of waiting.splice(0)) go()
    },
  }
}

/** Fails the nth call of this kind, from 0. */
export function failAt(source: FakeSource, failing: Call, nth: number): Error {
  const error = new Error('the disk hiccups')
  let seen = 0
  source.before = (call) => {
    if (call !== failing) return
    seen += 1
    if (seen === nth + 1) throw error
  }
  return error
}

/** Asks as a completion does: more than once, as a follower may be about to end when it is asked. */
export async function followToTheEnd(digests: Digests, source: FakeSource, id: string): Promise<void> {
  for (let attempt = 0; attempt < 3 && source.upload(id).digest === null; attempt += 1) await digests.follow(id)
}
