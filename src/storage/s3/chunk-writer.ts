import { goneError, gridOf, isGone, type StoredUpload } from '../../upload.ts'
import { UploadError } from '../../errors.ts'
import { chunkLength } from '../../grid.ts'
import type { ChunkEntry, Tail } from '../../ledger.ts'
import type { ChunkWriter, Hold } from '../storage.ts'
import type { Payload } from './calls.ts'
import { continued, findChain, listSegments, longestTail } from './chains.ts'
import type { S3Context } from './context.ts'
import { isOurs, putFile } from './final-object.ts'
import { recordLost } from './lost.ts'
import type { Place } from './manifest.ts'
import { isNoSuchUpload, storageError } from './s3-error.ts'
import { saveTail } from './tails.ts'

/** Which chunk is written, and where it is held until it is whole. */
export interface ChunkPlace {
  readonly upload: StoredUpload
  readonly place: Place
  readonly number: number
  /** Durable bytes at its start. */
  readonly from: number
  readonly hold: Hold
}

/** Holds a chunk, and sends it when it is whole: as one part, or as the whole file where it is the only one. */
export class S3ChunkWriter implements ChunkWriter {
  readonly #context: S3Context
  readonly #chunk: ChunkPlace
  readonly #length: number
  readonly #run: <T>(work: () => Promise<T>) => Promise<T>
  /** The tail it goes on from, where the ledger knows one of this size. The ledger may grow meanwhile. */
  readonly #known: Tail | null
  #ended = false

  /** `run` does what a close of the storage waits for. */
  constructor(context: S3Context, chunk: ChunkPlace, run: <T>(work: () => Promise<T>) => Promise<T>) {
    const { upload, number, from } = chunk
    this.#context = context
    this.#chunk = chunk
    this.#length = chunkLength(gridOf(upload), number)
    this.#run = run
    const { tail } = upload.ledger
    this.#known = tail !== null && tail.number === number && tail.size === from ? tail : null
    if (!Number.isSafeInteger(from) || from < 0 || from >= this.#length) {
      throw new Error(`Chunk ${number} has ${this.#length} bytes; none can be written from ${from}.`)
    }
  }

  async write(buffers: readonly Buffer[]): Promise<void> {
    if (this.#ended) throw new Error('This writer has ended.')
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    if (this.#given + bytes > this.#length) {
      throw new Error(`More bytes than the ${this.#length} of chunk ${this.#chunk.number}.`)
    }
    await this.#chunk.hold.append(buffers)
  }

  /**
   * Killed before S3 has the chunk, nothing of it is there but the tail it began with; after it, ListParts tells its
   * digest and a merge finds it. What fails may have taken effect all the same: nothing is claimed then, and the chunk is
   * sent again, over the same bytes.
   */
  async finish(entry: ChunkEntry): Promise<ChunkEntry> {
    this.#mustSay(entry, this.#length)
    return await this.#end(async () => {
      const { upload, number, hold } = this.#chunk
      const tail = await this.#tail()
      const chain = tail === null ? [] : await findChain(this.#context, upload.manifest.id, tail)
      const rest: Payload = { size: entry.size, sha256: entry.sha256, body: () => hold.read() }
      const etag = await this.#send(number, continued(this.#context, upload.manifest.id, chain, tail, rest))
      return { ...entry, etag }
    }, true)
  }

  async suspend(tail: Tail): Promise<void> {
    if (tail.size >= this.#length) throw new Error(`A tail of ${tail.size} bytes is the whole chunk.`)
    this.#mustSay(tail, this.#given)
    await this.#end(async () => {
      const { upload, hold } = this.#chunk
      const before = await this.#tail()
      await saveTail(this.#context, upload.manifest.id, { tail, before, hold })
    })
  }

  async abort(): Promise<void> {
    this.#ended = true
    await this.#chunk.hold.drop()
  }

  /** Bytes of the chunk that were given, the tail before them included. */
  get #given(): number {
    return this.#chunk.from + this.#chunk.hold.size
  }

  /** The tail this writer goes on from. */
  async #tail(): Promise<Tail | null> {
    const { upload, number, from } = this.#chunk
    if (from === 0 || this.#known !== null) return this.#known
    const segments = await listSegments(this.#context, upload.manifest.id)
    const before = segments.filter((one) => one.to <= from)
    const longest = await longestTail(this.#context, before, number)
    if (longest?.tail.size === from) return longest.tail
    const cause = new Error(`There is no tail of ${from} bytes.`)
    throw new UploadError('CHUNKS_MISSING', { cause, details: { missing: [[number, number]] } })
  }

  async #send(number: number, payload: Payload): Promise<string> {
    const { place, upload } = this.#chunk
    if (place.multipart === null) return await putFile(this.#context, place, upload.manifest, payload)
    try {
      return await this.#context.multipart.send(place.multipart, number + 1, payload)
    } catch (error) {
      if (isNoSuchUpload(error)) await this.#throwEnd()
      throw error
    }
  }

  /** Says why there is no multipart upload any more: another node may have ended the upload, or be about to. */
  async #throwEnd(): Promise<void> {
    const { place } = this.#chunk
    const standing = await this.#context.ends.read(place.fileId)
    if (standing?.end.status === 'uploaded') throw new UploadError('UPLOAD_COMPLETED')
    if (standing !== null) throw goneError(standing.end.status)
    const facts = await this.#context.bucket.head(place.key)
    if (facts !== null && isOurs(facts, place.id)) throw new UploadError('UPLOAD_COMPLETED')
    await recordLost(this.#context, place)
    throw goneError('failed')
  }

  #mustSay(said: Tail, size: number): void {
    if (this.#ended) throw new Error('This writer has ended.')
    const { number } = this.#chunk
    if (said.number === number && said.size === size && this.#given === size && size > 0) return
    throw new Error(
      `Chunk ${number} was given ${this.#given} of ${this.#length} bytes, not ${said.size} of chunk ${said.number}.`,
    )
  }

  /** The hold is kept where a chunk was finished: it may have to be compared with what others have acknowledged. */
  async #end<T>(work: () => Promise<T>, keeps = false): Promise<T> {
    this.#ended = true
    const { upload, hold } = this.#chunk
    let isKept = false
    try {
      if (isGone(upload)) throw goneError(upload.status)
      const done = await this.#run(work)
      isKept = keeps
      return done
    } catch (error) {
      throw storageError(error)
    } finally {
      if (!isKept) await hold.drop()
    }
  }
}
