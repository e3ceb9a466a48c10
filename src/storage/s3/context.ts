import { randomUUID } from 'node:crypto'
import { UploadError } from '../../errors.ts'
import { ObjectBucket } from './bucket.ts'
import { Calls } from './calls.ts'
import type { Chain } from './chains.ts'
import { Documents } from './documents.ts'
import { Ends } from './ends.ts'
import type { Keys } from './keys.ts'
import { type Place, readManifest } from './manifest.ts'
import { Multipart } from './multipart.ts'
import type { ResolvedS3Options } from './options.ts'
import type { PackedChunks } from './packed-chunks.ts'
import { Recent } from '../recent.ts'
import { systemClock } from './retry.ts'

/** How many uploads something is remembered of. Only ever caches. */
const CAPACITY = 10_000
/** Of what is larger, fewer. */
const TAILS_CAPACITY = 1000
const ASSEMBLED_CAPACITY = 256

/** What is known of a file that was made whole, and is not recorded yet. */
export interface Assembled {
  /** Bytes. */
  readonly size: number
  /** Its chunks; null where they are an object of their own. */
  readonly chunks: PackedChunks | null
}

/** What everything in this folder works with. */
export class S3Context {
  readonly options: ResolvedS3Options
  readonly keys: Keys
  readonly bucket: ObjectBucket
  readonly documents: Documents
  readonly multipart: Multipart
  readonly ends: Ends
  /** Tells the segments of this process from those of others. */
  readonly owner = randomUUID()
  /** By upload id. */
  readonly places = new Recent<string, Place>(CAPACITY)
  /** The tails that this process wrote or read last, by upload id. */
  readonly tails = new Recent<string, Chain>(TAILS_CAPACITY)
  /** By upload id, from the moment the object stands to the record of its end. */
  readonly assembled = new Recent<string, Assembled>(ASSEMBLED_CAPACITY)
  /** When an upload was first seen to have neither parts nor object (ms since the epoch), by upload id. */
  readonly lost = new Recent<string, number>(CAPACITY)
  readonly #aside = new Set<Promise<unknown>>()

  constructor(options: ResolvedS3Options) {
    const { client, bucket, checksums, conditionalWrites, keys, retry, onRetry } = options
    this.options = options
    this.keys = keys
    this.bucket = new ObjectBucket(new Calls(client, retry, checksums, systemClock, onRetry), bucket, checksums)
    this.documents = new Documents(this.bucket, conditionalWrites)
    this.multipart = new Multipart(this.bucket, checksums)
    this.ends = new Ends(this.documents, keys)
  }

  /** Where an upload's bytes go. @throws UploadError `UPLOAD_NOT_FOUND` */
  async place(id: string): Promise<Place> {
    const known = this.places.get(id)
    if (known !== undefined) return known
    const stored = await readManifest(this.documents, this.keys, id)
    if (stored === null) throw new UploadError('UPLOAD_NOT_FOUND')
    this.places.set(id, stored.place)
    return stored.place
  }

  /** Begins what nobody waits for, and what may fail: whatever is left is found by a sweep. */
  aside(work: () => Promise<unknown>): void {
    const running = work().catch(() => {})
    this.#aside.add(running)
    void running.finally(() => this.#aside.delete(running))
  }

  /** Resolves when nothing that was begun aside is under way. */
  async settled(): Promise<void> {
    while (this.#aside.size > 0) await Promise.all(this.#aside)
  }
}
