import { MIB } from '../../grid.ts'
import type { Manifest } from '../../upload.ts'
import type { Disk } from './disk.ts'
import { type LayerHandle, writeAll } from './file-layer.ts'
import { Journal } from './journal.ts'
import { Places } from './places.ts'
import { SharedFile } from './shared-file.ts'
import { together } from './together.ts'

/** Bytes after which the disk is set to work. */
const SYNC_AHEAD = 64 * MIB

/** What this process knows of one upload's folder while it works there. */
export class UploadFolder {
  readonly id: string
  readonly disk: Disk
  readonly journal: Journal
  readonly data: SharedFile
  readonly places = new Places()
  /** The upload's manifest, once it was written or read: it never changes. */
  manifest: Manifest | null = null
  /** An fsync of the bytes has failed since they were last proven. */
  doubtful = false
  /** The names in this folder, and its own, are durable. */
  rooted = false
  /** The part whose blocks the data file shares, or null, once this process has tried. */
  shared: Promise<string | null> | null = null
  /** This process has made the folder, and nothing of it has been given its final name: no record of a file can stand. */
  fileless = false
  /** This process has given the file its name, and nobody has written its record yet: none can stand. */
  recordless = false
  /** How many work here. */
  users = 0
  #queue: Promise<unknown> = Promise.resolve()
  #writes: Promise<unknown> = Promise.resolve()
  #unsynced = 0
  #syncing = false
  /** Writes that have ended, and how many of them had when the bytes were synced. */
  #written = 0
  #synced: number | null = null

  constructor(disk: Disk, id: string) {
    this.id = id
    this.disk = disk
    this.journal = new Journal(disk, id)
    this.data = new SharedFile(disk.layer, disk.layout.data(id), () => this.#doubt())
  }

  /** Runs what must not meet another of its kind: assembling, discarding, forgetting. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => {})
    return done
  }

  /** After an fsync of the bytes has failed: nothing of them is trusted until it is proven, also by a next process. */
  async distrust(): Promise<void> {
    this.#doubt()
    // Best effort: the disk has just failed. This process remembers it in any case.
    await this.journal.distrust().catch(() => {})
  }

  /** Whether the bytes were synced, and nothing was written or doubted since. */
  get synced(): boolean {
    return this.#synced === this.#written
  }

  #doubt(): void {
    this.doubtful = true
    this.#synced = null
  }

  /**
   * Syncs the bytes, unless nothing is ever synced.
   *
   * @throws what the system says. From then on the bytes are doubtful: see {@link UploadFolder.distrust}.
   */
  async sync(handle: LayerHandle): Promise<void> {
    if (this.disk.fsync === 'off') return
    const written = this.#written
    try {
      await handle.datasync()
      this.#synced = written
    } catch (error) {
      await this.distrust()
      throw error
    }
  }

  /**
   * Writes bytes of the data file, after those that were given before: the system has writes of one file wait for each
   * other, and the threads that do so burn what the machine has.
   */
  write(handle: LayerHandle, buffers: readonly Buffer[], position: number): Promise<void> {
    const done = this.#writes.then(() => writeAll(handle, buffers, position))
    this.#writes = done.catch(() => {})
    return done
  }

  /**
   * Bytes were written. Where they will be synced at the end, they are sent to the disk on the way, so that the end has
   * little left to wait for. Nothing relies on it; a failure makes the bytes doubtful as any fsync's does.
   */
  wrote(bytes: number): void {
    this.#written += 1
    this.#unsynced += bytes
    if (this.#unsynced < SYNC_AHEAD || this.#syncing || !this.disk.syncs('end')) return
    this.#unsynced = 0
    this.#syncing = true
    void this.#syncAhead().finally(() => {
      this.#syncing = false
    })
  }

  async #syncAhead(): Promise<void> {
    try {
      const handle = await this.data.acquire()
      try {
        await this.sync(handle)
      } finally {
        await this.data.release()
      }
    } catch {}
  }

  /** Makes the names durable, by which an upload is found after a power cut. */
  async root(): Promise<void> {
    const { layout } = this.disk
    if (this.rooted) return
    // Together they are one step of the disk, in whatever order.
    await together([
      this.disk.withFile(layout.manifest(this.id), 'r', (handle) => handle.sync()),
      this.disk.syncFolder(layout.upload(this.id)),
      this.disk.syncFolder(layout.uploads),
    ])
    this.rooted = true
  }
}

/** Folders that nobody works in are remembered up to this many. */
const IDLE_FOLDERS = 1000

/** The folders in use, one object per upload however many work there, and the last few that were. */
export class UploadFolders {
  readonly #disk: Disk
  readonly #folders = new Map<string, UploadFolder>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** The folder, held until it is released once. */
  hold(id: string): UploadFolder {
    const folder = this.#folders.get(id) ?? new UploadFolder(this.#disk, id)
    // Last in the map: the least recently used is forgotten first.
    this.#folders.delete(id)
    this.#folders.set(id, folder)
    folder.users += 1
    return folder
  }

  release(folder: UploadFolder): void {
    folder.users -= 1
    if (this.#folders.size <= IDLE_FOLDERS) return
    for (const [id, candidate] of this.#folders) {
      // A doubt is not forgotten: it is all that keeps lost bytes from being trusted.
      if (candidate.users > 0 || candidate.doubtful) continue
      this.#folders.delete(id)
      return
    }
  }

  /** Holds the folder while `work` runs. */
  async use<T>(id: string, work: (folder: UploadFolder) => Promise<T>): Promise<T> {
    const folder = this.hold(id)
    try {
      return await work(folder)
    } finally {
      this.release(folder)
    }
  }

  /** Whether no record of the upload's file can stand. Says so once: whoever asks is about to write it. */
  takeRecordless(id: string): boolean {
    const folder = this.#folders.get(id)
    if (folder?.recordless !== true) return false
    folder.recordless = false
    return true
  }

  /** Drops what is known of an upload that no longer exists. */
  drop(id: string): void {
    this.#folders.delete(id)
  }

  /** Waits for every journal, and closes every file: a writer that is still there can change nothing any more. */
  async shut(): Promise<void> {
    await Promise.all(
      [...this.#folders.values()].map(async (folder) => {
        await folder.journal.shut()
        await folder.data.shut()
      }),
    )
  }
}
