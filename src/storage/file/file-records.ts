import { type Deliveries, owedIn, owedTo, readDeliveries, type Receiver, settled } from '../../deliveries.ts'
import type { FileRecord, FileRepository, OwedFile } from '../../files.ts'
import { mustKnowVersion } from '../format-version.ts'
import { Recent } from '../recent.ts'
import type { Disk } from './disk.ts'
import { isCount, isObject, isStringOrNull, parseJson, toJson } from './json.ts'
import { isId } from './layout.ts'
import { isJsonObject } from './manifest.ts'
import { storageError } from './storage-error.ts'

/** Version of the format. */
const VERSION = 1

/** Records that are remembered: whoever completes an upload asks for its file as soon as the record is written. */
const REMEMBERED = 64

/** What a record has beside the file's. */
interface Unchecked {
  readonly version?: unknown
  readonly deliveries?: unknown
}

/** A record as it stands on the disk. */
interface StandingRecord {
  readonly file: FileRecord
  readonly deliveries: Deliveries | undefined
}

/** Records of finished files, beside the bytes: `files/<fileId>.json`. */
export class FileRecords implements FileRepository {
  readonly #disk: () => Disk
  readonly #isFirst: (file: FileRecord) => boolean
  /** What is being changed, by id: one change after the other, as each begins with what stands. */
  readonly #changes = new Map<string, Promise<unknown>>()
  /** What this process has written last. It owns the directory: nobody else writes there. */
  readonly #recent = new Recent<string, FileRecord>(REMEMBERED)
  /** How many records were taken away: what was written meanwhile may have been among them. */
  #removals = 0

  /**
   * `disk` gives the directory while it is open, and throws otherwise. `isFirst`: whether none can stand of a file whose
   * record is about to be put; it need not be looked for then.
   */
  constructor(disk: () => Disk, isFirst: (file: FileRecord) => boolean = () => false) {
    this.#disk = disk
    this.#isFirst = isFirst
  }

  async put(file: FileRecord, owed: readonly Receiver[] = []): Promise<void> {
    if (!isId(file.id)) throw new Error('The id of a file is not a UUID.')
    const isFirst = this.#isFirst(file)
    await this.#change(
      file.id,
      (standing) => ({ file, deliveries: standing?.deliveries ?? owedTo(owed) }),
      isFirst && !this.#changes.has(file.id),
    )
  }

  async get(fileId: string): Promise<FileRecord | null> {
    const known = this.#recent.get(fileId)
    if (known === undefined) return (await this.#read(fileId))?.file ?? null
    this.#disk()
    return known
  }

  remembers(fileId: string): boolean {
    return this.#recent.get(fileId) !== undefined
  }

  /** The record is gone from the disk, or may be. */
  removed(fileId: string): void {
    this.#removals += 1
    this.#recent.delete(fileId)
  }

  async owed(fileId: string): Promise<OwedFile | null> {
    const { file, deliveries = {} } = (await this.#read(fileId)) ?? {}
    const receivers = owedIn(deliveries)
    return file === undefined || receivers.length === 0 ? null : { file, receivers }
  }

  async settle(fileId: string, outcomes: Deliveries): Promise<void> {
    if (!isId(fileId)) return
    await this.#change(fileId, (standing) =>
      standing?.deliveries === undefined
        ? null
        : { file: standing.file, deliveries: settled(standing.deliveries, outcomes) },
    )
  }

  async remove(fileId: string): Promise<void> {
    if (!isId(fileId)) return
    await this.#run(async (disk) => {
      await disk.remove(disk.layout.fileRecord(fileId)).finally(() => this.removed(fileId))
      if (disk.fsync !== 'off') await disk.syncFolder(disk.layout.files)
    })
  }

  async #read(fileId: string): Promise<StandingRecord | null> {
    if (!isId(fileId)) return null
    const content = await this.#run((disk) => disk.read(disk.layout.fileRecord(fileId)))
    const value = content === null ? undefined : parseJson(content)
    if (isObject(value)) mustKnowVersion(`The record of file ${fileId}`, value.version ?? VERSION, VERSION)
    if (!isFileRecord(value)) return null
    const { deliveries, version: _, ...file }: FileRecord & Unchecked = value
    return { file, deliveries: readDeliveries(deliveries) }
  }

  /** Replaces a record by what is made of the one that stands; null leaves it as it is. `isFirst`: none stands. */
  async #change(
    fileId: string,
    change: (standing: StandingRecord | null) => StandingRecord | null,
    isFirst = false,
  ): Promise<void> {
    const before = this.#changes.get(fileId) ?? Promise.resolve()
    const mine = before
      .catch(() => {})
      .then(async () => {
        const next = change(isFirst ? null : await this.#read(fileId))
        if (next === null) return
        const { file, deliveries } = next
        const content = toJson({ version: VERSION, ...file, ...(deliveries === undefined ? {} : { deliveries }) })
        // Until it is known how that went, what stands is looked up.
        this.#recent.delete(fileId)
        const removals = this.#removals
        await this.#run((disk) => (isFirst ? writeFirst : replace)(disk, fileId, content))
        if (removals === this.#removals) this.#recent.set(fileId, file)
      })
    this.#changes.set(fileId, mine)
    try {
      await mine
    } finally {
      if (this.#changes.get(fileId) === mine) this.#changes.delete(fileId)
    }
  }

  async #run<T>(work: (disk: Disk) => Promise<T>): Promise<T> {
    const disk = this.#disk()
    try {
      return await work(disk)
    } catch (error) {
      throw storageError(error)
    }
  }
}

async function replace(disk: Disk, fileId: string, content: Buffer): Promise<void> {
  await disk.replace(disk.layout.fileRecord(fileId), content, disk.fsync !== 'off')
}

/**
 * In place: until `uploaded` is in the journal nobody is promised a record, and one that a kill has torn is read as none, and
 * replaced by whoever takes the completion up again.
 */
async function writeFirst(disk: Disk, fileId: string, content: Buffer): Promise<void> {
  const sync = disk.fsync !== 'off'
  await disk.write(disk.layout.fileRecord(fileId), content, sync)
  if (sync) await disk.syncFolder(disk.layout.files)
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
