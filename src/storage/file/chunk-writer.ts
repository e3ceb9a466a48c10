import { chunkLength, chunkStart, MIB } from '../../grid.ts'
import type { ChunkEntry, Tail } from '../../ledger.ts'
import { gridOf, type StoredUpload } from '../../upload.ts'
import type { ChunkWriter } from '../storage.ts'
import type { LayerHandle } from './file-layer.ts'
import type { StoredChange } from './journal-format.ts'
import { storageError } from './storage-error.ts'
import type { UploadFolder } from './upload-folder.ts'

const WRITES_IN_FLIGHT = 2
/** Bytes of a write: a larger one is no faster, a much smaller one dearer. */
const LARGEST_WRITE = MIB
const LEAST_WRITE = 64 * 1024
/** How long less than a whole write is held back, ms: memory must not wait for slow clients. */
const GATHER_MS = 50

/** Which chunk is written, and with what. */
export interface ChunkPlace {
  readonly upload: StoredUpload
  readonly number: number
  /** Durable bytes at its start. */
  readonly from: number
  /** Bytes to hold at the most: what is gathered for the next write, and the writes in flight. */
  readonly memory: number
}

/** Writes one chunk at its own place in the data file. */
export class FileChunkWriter implements ChunkWriter {
  readonly #folder: UploadFolder
  readonly #number: number
  readonly #start: number
  readonly #length: number
  readonly #write: number
  readonly #onEnd: () => void
  /** Bytes of the chunk that were given, the tail before them included. */
  #given: number
  /** Where the next write goes, in bytes of the file. */
  #position: number
  #pending: Buffer[] = []
  #pendingBytes = 0
  #inFlight = 0
  #handle: Promise<LayerHandle> | null = null
  #timer: NodeJS.Timeout | null = null
  #failure: Error | null = null
  #ended = false
  #closing: Promise<void> | null = null
  #settled: (() => void)[] = []

  /** `onEnd` is called once, when nothing of the writer is under way any more. Its place is taken before it is used. */
  constructor(folder: UploadFolder, place: ChunkPlace, onEnd: () => void) {
    const { upload, number, from, memory } = place
    this.#folder = folder
    this.#number = number
    this.#start = chunkStart(gridOf(upload), number)
    this.#length = chunkLength(gridOf(upload), number)
    this.#write = Math.min(LARGEST_WRITE, Math.max(LEAST_WRITE, Math.floor(memory / (WRITES_IN_FLIGHT + 1))))
    this.#given = from
    this.#position = this.#start + from
    this.#onEnd = onEnd
    if (!Number.isSafeInteger(from) || from < 0 || from >= this.#length) {
      throw new Error(`Chunk ${number} has ${this.#length} bytes; none can be written from ${from}.`)
    }
  }

  async write(buffers: readonly Buffer[]): Promise<void> {
    if (this.#ended) throw new Error('This writer has ended.')
    this.#throwFailure()
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    if (this.#given + bytes > this.#length)
      throw new Error(`More bytes than the ${this.#length} of chunk ${this.#number}.`)
    this.#given += bytes
    this.#pendingBytes += bytes
    for (const buffer of buffers) if (buffer.length > 0) this.#pending.push(buffer)
    this.#pump(false)
    while (this.#pendingBytes >= this.#write && this.#failure === null) await this.#nextSettled()
    this.#throwFailure()
  }

  async finish(entry: ChunkEntry): Promise<ChunkEntry> {
    this.#mustSay(entry, this.#length)
    await this.#end({ type: 'chunk', entry })
    return entry
  }

  async suspend(tail: Tail): Promise<void> {
    if (tail.size >= this.#length) throw new Error(`A tail of ${tail.size} bytes is the whole chunk.`)
    this.#mustSay(tail, this.#given)
    await this.#end({ type: 'tail', tail })
  }

  async abort(): Promise<void> {
    this.#ended = true
    this.#pending = []
    this.#pendingBytes = 0
    await this.#close()
  }

  #mustSay(said: Tail, size: number): void {
    if (this.#ended) throw new Error('This writer has ended.')
    if (said.number === this.#number && said.size === size && this.#given === size && size > 0) return
    throw new Error(
      `Chunk ${this.#number} was given ${this.#given} of ${this.#length} bytes, not ${said.size} of chunk ${said.number}.`,
    )
  }

  async #end(change: StoredChange): Promise<void> {
    this.#ended = true
    try {
      this.#pump(true)
      while (this.#pendingBytes > 0 && this.#failure === null) await this.#nextSettled()
      while (this.#inFlight > 0) await this.#nextSettled()
      this.#throwFailure()
      const sync = this.#folder.disk.syncs('chunk')
      if (sync && this.#handle !== null) await this.#folder.sync(await this.#handle)
      // The data file's own name may be as new as its bytes.
      if (sync) await this.#folder.root()
      await this.#folder.journal.append(change, sync)
      this.#folder.places.recorded(this.#number, change.type === 'tail' ? this.#given : undefined)
    } catch (error) {
      throw storageError(error, 'UPLOAD_NOT_FOUND')
    } finally {
      await this.#close()
    }
  }

  /** Begins as many writes as may be in flight: whole ones, or whatever there is when `all`. */
  #pump(all: boolean): void {
    while (this.#failure === null && this.#inFlight < WRITES_IN_FLIGHT) {
      if (this.#pendingBytes < (all || this.#ended ? 1 : this.#write)) break
      this.#begin(this.#take())
    }
    if (this.#pendingBytes > 0 && !this.#ended && this.#timer === null) {
      this.#timer = setTimeout(() => {
        this.#timer = null
        this.#pump(true)
      }, GATHER_MS)
      this.#timer.unref()
    }
  }

  /** Takes up to one write of what waits. */
  #take(): Buffer[] {
    let count = 0
    let bytes = 0
    for (const buffer of this.#pending) {
      if (bytes + buffer.length > this.#write) break
      bytes += buffer.length
      count += 1
    }
    const taken = this.#pending.splice(0, count)
    const next = this.#pending[0]
    if (next !== undefined && bytes < this.#write) {
      // The rest of the write comes out of a buffer that is too large for it.
      taken.push(next.subarray(0, this.#write - bytes))
      this.#pending[0] = next.subarray(this.#write - bytes)
      bytes = this.#write
    }
    this.#pendingBytes -= bytes
    return taken
  }

  #begin(buffers: readonly Buffer[]): void {
    const position = this.#position
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    this.#position += bytes
    this.#inFlight += 1
    this.#handle ??= this.#folder.data.acquire()
    this.#handle
      .then(async (handle) => {
        await this.#folder.write(handle, buffers, position)
        this.#folder.wrote(bytes)
      })
      .catch((error: unknown) => {
        this.#failure ??= storageError(error, 'UPLOAD_NOT_FOUND')
      })
      .finally(() => {
        this.#inFlight -= 1
        this.#pump(false)
        for (const settled of this.#settled.splice(0)) settled()
      })
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure
  }

  async #nextSettled(): Promise<void> {
    await new Promise<void>((resolve) => this.#settled.push(resolve))
  }

  /** Waits for the writes in flight, and gives the file back, once. */
  #close(): Promise<void> {
    this.#closing ??= this.#release()
    return this.#closing
  }

  async #release(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    while (this.#inFlight > 0) await this.#nextSettled()
    const handle = this.#handle
    const opened =
      handle !== null &&
      (await handle.then(
        () => true,
        () => false,
      ))
    if (opened) await this.#folder.data.release()
    this.#onEnd()
  }
}
