import { Ledger } from '../../ledger.ts'
import type { Upload } from '../../upload.ts'
import type { RecordView } from './record-text.ts'

/** What this process has read of a record. */
export interface Seen {
  /** Which record: see {@link RecordView.epoch}. */
  readonly epoch: string
  /** As it was last read. Its ledger holds exactly the entries read so far, and grows with the next. */
  readonly upload: Upload
}

/** How much an {@link UploadCache} keeps. */
export interface UploadCacheLimits {
  readonly maxUploads: number
  readonly maxChunks: number
}

/** The uploads read last, so that only what is new has to be fetched of them. Whoever was not asked for longest goes first. */
export class UploadCache {
  readonly #slots = new Map<string, { readonly seen: Seen; readonly chunks: number }>()
  readonly #limits: UploadCacheLimits
  #chunks = 0

  constructor(limits: UploadCacheLimits) {
    this.#limits = limits
  }

  /** How many uploads and chunks there are. */
  get size(): { readonly uploads: number; readonly chunks: number } {
    return { uploads: this.#slots.size, chunks: this.#chunks }
  }

  get(id: string): Seen | undefined {
    const slot = this.#slots.get(id)
    if (slot === undefined) return undefined
    this.#slots.delete(id)
    this.#slots.set(id, slot)
    return slot.seen
  }

  /**
   * Takes what was read of an upload. The ledger that is known grows in place: whoever holds it sees it.
   * @param asked What was known when the record was asked; it may have left the cache since.
   */
  take(id: string, view: RecordView, asked: Seen | undefined): Upload {
    const base = [this.#slots.get(id)?.seen, asked].find(
      (seen) => seen?.epoch === view.epoch && seen.upload.ledger.chunks.size >= view.from,
    )
    const manifest = base?.upload.manifest ?? view.manifest
    if (manifest === null) throw new Error('A record left out a manifest that nobody has.')
    const { epoch, from: _, entries, tail, ...rest } = view
    const ledger = base?.upload.ledger ?? new Ledger()
    for (const entry of entries) ledger.add(entry)
    if (tail !== null) ledger.setTail(tail)
    const upload = { ...rest, manifest, ledger }
    this.#put(id, { epoch, upload })
    return upload
  }

  drop(id: string): void {
    const slot = this.#slots.get(id)
    if (slot === undefined) return
    this.#slots.delete(id)
    this.#chunks -= slot.chunks
  }

  clear(): void {
    this.#slots.clear()
    this.#chunks = 0
  }

  #put(id: string, seen: Seen): void {
    this.drop(id)
    const chunks = seen.upload.ledger.chunks.size
    this.#slots.set(id, { seen, chunks })
    this.#chunks += chunks
    for (const oldest of this.#slots.keys()) {
      if (this.#slots.size <= this.#limits.maxUploads && this.#chunks <= this.#limits.maxChunks) return
      this.drop(oldest)
    }
  }
}
