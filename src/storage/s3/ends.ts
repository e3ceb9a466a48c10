import { type Deliveries, readDeliveries } from '../../deliveries.ts'
import type { FileRecord } from '../../files.ts'
import type { EndStatus } from '../../upload.ts'
import { mustKnowVersion } from '../format-version.ts'
import type { Document, Documents } from './documents.ts'
import { isCount, isObject, isStringOrNull } from './json.ts'
import type { Keys } from './keys.ts'
import { isGoneStatus, isJsonObject } from './manifest.ts'
import { Recent } from '../recent.ts'

/** How an upload ended. One object for each upload, so that exactly one end wins, whatever two nodes believe. */
export interface End {
  readonly uploadId: string
  readonly status: EndStatus
  /** ms since the epoch. */
  readonly at: number
  /** Key of the file. */
  readonly key: string
  /** Bytes of the file; null where it has none, or they are not known here. */
  readonly size: number | null
  /** The record of the finished file; null where there is none. */
  readonly file: FileRecord | null
  /** Who is told of the file, and how far that has come; absent where nobody is. */
  readonly deliveries?: Deliveries | undefined
  /** The chunks of a finished file: see packed-chunks.ts. Checked when it is unpacked. */
  readonly chunks: unknown
}

/** An end as it stands in the bucket. */
export interface StandingEnd {
  readonly end: End
  readonly etag: string
}

/** How a write of an end went: whether it is ours now, and what stands. */
export interface EndOutcome {
  readonly written: boolean
  readonly standing: StandingEnd | null
}

/** Version of the format. */
const VERSION = 1
/** How many ends are remembered. */
const CAPACITY = 500
/** How long a remembered end is told without asking, ms. What it tells of has its word in state besides. */
const FRESH_MS = 30_000

/** The ends of uploads, in `records/<fileId>`. */
export class Ends {
  readonly #documents: Documents
  readonly #keys: Keys
  readonly #known = new Recent<string, StandingEnd & { readonly since: number }>(CAPACITY)

  constructor(documents: Documents, keys: Keys) {
    this.#documents = documents
    this.#keys = keys
  }

  /** The end that stands in the bucket, or null. */
  async read(fileId: string): Promise<StandingEnd | null> {
    return this.#standing(fileId, await this.#documents.read(this.#keys.record(fileId)))
  }

  /** The end as it was a moment ago, or else as it stands. */
  async recent(fileId: string): Promise<StandingEnd | null> {
    return this.#fresh(fileId) ?? (await this.read(fileId))
  }

  /** Whether {@link Ends.recent} would answer without asking. */
  remembers(fileId: string): boolean {
    return this.#fresh(fileId) !== null
  }

  /** The end that was seen last by this process, however long ago. Its key never changes. */
  seen(fileId: string): StandingEnd | null {
    return this.#known.get(fileId) ?? null
  }

  /** Writes an end where none stands (`over` null), or in place of the one that was seen. */
  async write(fileId: string, end: End, over: StandingEnd | null): Promise<EndOutcome> {
    const key = this.#keys.record(fileId)
    const value = { version: VERSION, ...end }
    const outcome = await (over === null
      ? this.#documents.create(key, value)
      : this.#documents.replace(key, value, over))
    if (!outcome.written) return { written: false, standing: this.#standing(fileId, outcome.standing) }
    return { written: true, standing: this.#keep(fileId, { end, etag: outcome.etag }) }
  }

  forget(fileId: string): void {
    this.#known.delete(fileId)
  }

  #fresh(fileId: string): StandingEnd | null {
    const known = this.#known.get(fileId)
    return known !== undefined && performance.now() - known.since < FRESH_MS ? known : null
  }

  #standing(fileId: string, document: Document | null): StandingEnd | null {
    if (document === null) {
      this.forget(fileId)
      return null
    }
    mustKnowVersion(`The end of file ${fileId}`, document.value.version ?? VERSION, VERSION)
    if (!isEnd(document.value)) throw new Error(`The end of file ${fileId} cannot be read.`)
    const end = { ...document.value, deliveries: readDeliveries(document.value.deliveries) }
    return this.#keep(fileId, { end, etag: document.etag })
  }

  #keep(fileId: string, standing: StandingEnd): StandingEnd {
    this.#known.set(fileId, { ...standing, since: performance.now() })
    return standing
  }
}

function isEnd(value: { readonly [key: string]: unknown }): value is { readonly [key: string]: unknown } & End {
  return (
    typeof value.uploadId === 'string' &&
    (value.status === 'uploaded' || isGoneStatus(value.status)) &&
    isCount(value.at) &&
    typeof value.key === 'string' &&
    (value.size === null || isCount(value.size)) &&
    (value.file === null || isFileRecord(value.file))
  )
}

function isFileRecord(value: unknown): value is FileRecord {
  return (
    isObject(value) &&
    typeof value.id === 'string' &&
    typeof value.uploadId === 'string' &&
    isStringOrNull(value.owner) &&
    typeof value.name === 'string' &&
    isCount(value.size) &&
    typeof value.contentType === 'string' &&
    isJsonObject(value.metadata) &&
    isCount(value.uploadedAt) &&
    isStringOrNull(value.checksum) &&
    (value.key === undefined || typeof value.key === 'string')
  )
}
