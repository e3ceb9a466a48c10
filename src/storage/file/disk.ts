import { basename, dirname, join } from 'node:path'
import { closeQuietly, type FileLayer, hasCode, type LayerHandle, unlessMissing, writeAll } from './file-layer.ts'
import { type Layout, randomName } from './layout.ts'
import { OpenJournals } from './open-journals.ts'

/**
 * What is synced, and so survives a power cut. A kill of the process loses nothing in any mode.
 *
 * - `chunk`: every acknowledgement.
 * - `complete`: finished files and ends. A power cut may cost chunks and uploads of the last seconds, never correctness.
 * - `off`: nothing.
 */
export type Fsync = 'complete' | 'chunk' | 'off'

/** The directory, and the calls on it that everything here is made of. */
export class Disk {
  readonly layer: FileLayer
  readonly layout: Layout
  readonly fsync: Fsync
  /** Id of the machine's present boot. */
  readonly boot: string
  /** Whether nothing may be changed: another process owns the directory. */
  readonly readOnly: boolean
  readonly openJournals = new OpenJournals()

  constructor(layer: FileLayer, layout: Layout, fsync: Fsync, boot: string, readOnly = false) {
    this.layer = layer
    this.layout = layout
    this.fsync = fsync
    this.boot = boot
    this.readOnly = readOnly
  }

  /** Whether acknowledgements of this weight are synced: those of chunks and creations, or those of ends. */
  syncs(weight: 'chunk' | 'end'): boolean {
    return this.fsync === 'chunk' || (this.fsync === 'complete' && weight === 'end')
  }

  /** Opens a file, hands it to `use`, and closes it whatever happens. */
  async withFile<T>(
    path: string,
    flags: string | number,
    use: (handle: LayerHandle) => Promise<T>,
    mode?: number,
  ): Promise<T> {
    const handle = await this.layer.open(path, flags, mode)
    try {
      return await use(handle)
    } finally {
      await closeQuietly(handle)
    }
  }

  /** Writes a small file in place. Only for a name that nobody reads yet. */
  async write(path: string, content: Buffer, sync: boolean, mode?: number): Promise<void> {
    const write = async (handle: LayerHandle): Promise<void> => {
      await writeAll(handle, [content], 0)
      if (sync) await handle.sync()
    }
    await this.withFile(path, 'w', write, mode)
  }

  /** Writes or replaces a small file in one step. */
  async replace(path: string, content: Buffer, sync: boolean): Promise<void> {
    await this.#viaTemporary(path, content, sync, (temporary) => this.layer.rename(temporary, path))
    if (sync) await this.syncFolder(dirname(path))
  }

  /** Writes a small file in one step unless the name is taken. Returns whether it did. `mode`: its permissions. */
  async writeNew(path: string, content: Buffer, sync: boolean, mode?: number): Promise<boolean> {
    const place = async (temporary: string): Promise<void> => {
      await this.layer.link(temporary, path)
      await this.layer.unlink(temporary)
    }
    try {
      await this.#viaTemporary(path, content, sync, place, mode)
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false
      throw error
    }
    if (sync) await this.syncFolder(dirname(path))
    return true
  }

  /** A small file, or null where there is none. */
  async read(path: string): Promise<Buffer | null> {
    return await unlessMissing(this.layer.readFile(path))
  }

  /** Deletes a file; nothing happens where there is none. */
  async remove(path: string): Promise<void> {
    await unlessMissing(this.layer.unlink(path))
  }

  /** Size of a file in bytes, or null where there is none. */
  async sizeOf(path: string): Promise<number | null> {
    return (await unlessMissing(this.layer.stat(path)))?.size ?? null
  }

  /** Makes the names in a folder durable. */
  async syncFolder(path: string): Promise<void> {
    // Windows cannot open a folder; its file systems keep names in their own journal.
    if (process.platform === 'win32') return
    await this.withFile(path, 'r', async (handle) => {
      await handle.sync().catch((error: unknown) => {
        // Some file systems sync names by themselves and refuse to be asked.
        if (!hasCode(error, 'EINVAL')) throw error
      })
    })
  }

  async #viaTemporary(
    path: string,
    content: Buffer,
    sync: boolean,
    place: (temporary: string) => Promise<void>,
    mode?: number,
  ): Promise<void> {
    const temporary = join(dirname(path), `.${basename(path)}-${randomName()}.tmp`)
    try {
      await this.write(temporary, content, sync, mode)
      await place(temporary)
    } catch (error) {
      // Best effort: what stays is swept later.
      await this.remove(temporary).catch(() => {})
      throw error
    }
  }
}
