import type { Api, CallOptions } from './api.ts'
import { bytesIn, chunkBounds, countIn, otherRanges } from './chunk-plan.ts'
import type { ChunkRanges, InitiatedUpload } from './contract.ts'
import { codeOf, ResumableUploadError } from './errors.ts'
import type { RememberedUpload, UploadMemory } from './memory.ts'

/** Hex digits of a chunk's SHA-256 that are remembered: 128 bits. */
const SUM_DIGITS = 32

/** What is there of an upload, and what is not. */
export interface UploadPlan {
  readonly missing: ChunkRanges
  readonly present: ChunkRanges
  /** Whether its file is finished: it takes nothing any more. */
  readonly completed: boolean
}

/** One upload on the server, with what this client remembers of it. */
export class UploadSession {
  readonly #memory: UploadMemory
  readonly #key: string
  readonly #facts: Omit<RememberedUpload, 'sums'>
  readonly #sums: Map<number, string>
  #saved: Promise<void> = Promise.resolve()
  #next: Promise<void> | null = null

  private constructor(memory: UploadMemory, key: string, { sums, ...facts }: RememberedUpload) {
    this.#memory = memory
    this.#key = key
    this.#facts = facts
    this.#sums = new Map(Object.entries(sums).map(([number, sum]) => [Number(number), sum]))
  }

  /** A session that has just begun, and is remembered. */
  static async begun(memory: UploadMemory, key: string, api: string, upload: InitiatedUpload): Promise<UploadSession> {
    const { id, fileId, fileName, fileSize, chunkSize, totalChunks, uploadToken = null } = upload
    if (!(chunkSize > 0) || !Number.isSafeInteger(totalChunks)) {
      throw new ResumableUploadError('UNEXPECTED_ANSWER', 'The server did not say how the file is to be cut.')
    }
    const startedAt = new Date().toISOString()
    const facts = { id, uploadToken, fileId, fileName, fileSize, chunkSize, totalChunks, api, startedAt }
    const session = new UploadSession(memory, key, { ...facts, sums: {} })
    await session.#save()
    return session
  }

  /** The session that is remembered under a key, or null. */
  static async remembered(memory: UploadMemory, key: string): Promise<UploadSession | null> {
    const found = await memory.load(key)
    return found === null ? null : new UploadSession(memory, key, found)
  }

  /** A session that somebody else has begun, or that was forgotten. */
  static async adopted(memory: UploadMemory, key: string, upload: RememberedUpload): Promise<UploadSession> {
    const session = new UploadSession(memory, key, upload)
    await session.#save()
    return session
  }

  get id(): string {
    return this.#facts.id
  }

  get token(): string | null {
    return this.#facts.uploadToken
  }

  get totalChunks(): number {
    return this.#facts.totalChunks
  }

  bounds(number: number) {
    return chunkBounds(number, this.#facts.chunkSize, this.#facts.fileSize)
  }

  /** Asks the server what it has, which keeps the upload alive. @throws ResumableUploadError where it has ended otherwise */
  async plan(api: Api, options: CallOptions): Promise<UploadPlan> {
    try {
      const { missingChunks } = await api.resume(this.id, { ...options, token: this.token })
      return { missing: missingChunks, present: otherRanges(missingChunks, this.totalChunks), completed: false }
    } catch (error) {
      if (codeOf(error) !== 'UPLOAD_COMPLETED') throw error
      return { ...this.planOf([]), completed: true }
    }
  }

  /** A plan in which so much is missing. */
  planOf(missing: ChunkRanges): UploadPlan {
    return { missing, present: otherRanges(missing, this.totalChunks), completed: false }
  }

  /** A plan in which all is missing. */
  whole(): UploadPlan {
    return this.planOf(this.totalChunks === 0 ? [] : [[0, this.totalChunks - 1]])
  }

  /** How many bytes, and chunks, are in ranges. */
  measure(ranges: ChunkRanges): { readonly bytes: number; readonly chunks: number } {
    return { bytes: bytesIn(ranges, this.#facts.chunkSize, this.#facts.fileSize), chunks: countIn(ranges) }
  }

  /**
   * Remembers that a chunk with this SHA-256 is about to be sent. Before it is: of a chunk that arrived, and whose answer did
   * not come back, it is known then what is there.
   */
  async note(number: number, sha256: string): Promise<void> {
    const sum = sha256.slice(0, SUM_DIGITS)
    if (this.#sums.get(number) === sum) return
    this.#sums.set(number, sum)
    await this.#save()
  }

  /** Whether a chunk that is there has this SHA-256; undefined where that is not remembered. */
  matches(number: number, sha256: string): boolean | undefined {
    const sum = this.#sums.get(number)
    return sum === undefined ? undefined : sum === sha256.slice(0, SUM_DIGITS)
  }

  knows(number: number): boolean {
    return this.#sums.has(number)
  }

  async forget(): Promise<void> {
    await this.#saved
    await this.#memory.forget(this.#key)
  }

  /** One at a time, so that no older record comes after a newer one. What is noted meanwhile goes with the next. */
  #save(): Promise<void> {
    this.#next ??= this.#saved.then(() => {
      this.#next = null
      return this.#memory.save(this.#key, { ...this.#facts, sums: Object.fromEntries(this.#sums) })
    })
    this.#saved = this.#next
    return this.#saved
  }
}
