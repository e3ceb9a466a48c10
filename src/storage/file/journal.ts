import { UploadError } from '../../errors.ts'
import { endsFile, goneError, type UploadStatus } from '../../upload.ts'
import type { Disk } from './disk.ts'
import { closeQuietly, type LayerHandle, writeAll } from './file-layer.ts'
import {
  decodeJournal,
  encodeLines,
  type JournalContents,
  type JournalHeader,
  type StoredChange,
} from './journal-format.ts'
import type { Closable } from './open-journals.ts'

/** What a revision found, and what the journal shall say from now on, if not the same. */
export interface Revision<T> {
  readonly result: T
  readonly changes?: readonly StoredChange[]
}

/** Most lines that are remembered: those of a small file are asked for again as soon as they are written. */
const REMEMBERED = 32

interface Waiting {
  readonly change: StoredChange
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/**
 * The journal of one upload: an append-only list of what happened to it. Everything that touches the file runs one after
 * the other; lines that wait are written together. The file stays open for the next line for a moment: see
 * {@link OpenJournals}.
 */
export class Journal implements Closable {
  readonly #disk: Disk
  readonly #id: string
  readonly #path: string
  /** The file, while it is open: always the one that stands under its name. */
  #handle: LayerHandle | null = null
  #queue: Promise<unknown> = Promise.resolve()
  #waiting: Waiting[] = []
  /** Bytes of whole lines; null until this process has looked at the file. */
  #end: number | null = null
  #header: JournalHeader | null = null
  /** The file is empty: its first line brings the header with it. */
  #blank = false
  /** What the whole lines say; null where they are too many to remember, or not known. */
  #changes: readonly StoredChange[] | null = null
  #closed: Exclude<UploadStatus, 'initiated' | 'uploading'> | null = null
  /** Something of a failed append may stand behind the end: it would swallow the next line. */
  #torn = false
  /** A replacement may lie beside it that never took its place. */
  #mayHaveNew = true
  /** An fsync has failed: the system may believe pages clean that never reached the disk. */
  #unsynced = false
  #shut = false

  constructor(disk: Disk, id: string) {
    this.#disk = disk
    this.#id = id
    this.#path = disk.layout.journal(id)
  }

  /** This process has just made it, empty and open; it will begin with this header. */
  begun(header: JournalHeader, handle: LayerHandle): void {
    this.#end = 0
    this.#blank = true
    this.#header = header
    this.#changes = []
    this.#mayHaveNew = false
    this.#handle = handle
    this.#disk.openJournals.keep(this)
  }

  /** What it says, where this process, which alone writes it, knows that without reading it. */
  get known(): Pick<JournalContents, 'header' | 'changes'> | null {
    if (this.#changes === null || this.#waiting.length > 0) return null
    return { header: this.#header, changes: this.#changes }
  }

  /** Appends a line. With `sync` it survives a power cut when this resolves. */
  async append(change: StoredChange, sync: boolean): Promise<void> {
    if (this.#shut) throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error('The storage is closed.') })
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ change, sync, resolve, reject })
      if (this.#waiting.length === 1) void this.#run(() => this.#appendWaiting())
    })
  }

  /**
   * Reads the journal and replaces it in one step where `revise` returns other changes. No line is appended meanwhile, so
   * none is lost by the replacement. Where nothing may be changed it only reads.
   */
  async revise<T>(revise: (contents: JournalContents) => Promise<Revision<T>>): Promise<T> {
    return await this.#run(async () => {
      const { result, changes } = await revise(await this.#read())
      if (changes !== undefined && !this.#disk.readOnly) await this.#rewrite(changes, this.#disk.boot)
      return result
    })
  }

  /** Marks the bytes of this upload as not to be trusted, for a process that comes after a kill. */
  async distrust(): Promise<void> {
    await this.#run(async () => {
      const { changes } = await this.#read()
      await this.#rewrite(changes, '')
    })
  }

  /** Takes no line from now on, and resolves when nothing is under way. */
  async shut(): Promise<void> {
    this.#shut = true
    await this.letGo()
  }

  /** Closes the file when whatever is under way has ended; the next line opens it again. */
  async letGo(): Promise<void> {
    await this.#run(() => this.#close())
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => {})
    return done
  }

  async #appendWaiting(): Promise<void> {
    const batch = this.#waiting
    this.#waiting = []
    const accepted: Waiting[] = []
    try {
      await this.#prepare()
      const before = this.#closed
      for (const line of batch) {
        const refusal = this.#refusal(line.change)
        if (refusal === null) accepted.push(line)
        else line.reject(refusal)
        if (refusal === null) this.#note(line.change)
      }
      if (accepted.length === 0) return
      await this.#write(accepted).catch((error: unknown) => {
        this.#closed = before
        throw error
      })
      for (const line of accepted) line.resolve()
    } catch (error) {
      for (const line of batch) line.reject(error)
    }
  }

  async #write(lines: readonly Waiting[]): Promise<void> {
    const end = this.#end ?? 0
    const known = this.#changes
    this.#changes = null
    const changes = lines.map(({ change }) => change)
    const content = encodeLines(this.#blank && this.#header !== null ? [this.#header, ...changes] : changes)
    const handle = (this.#handle ??= await this.#disk.layer.open(this.#path, 'r+'))
    try {
      this.#torn = true
      await writeAll(handle, [content], end)
      if (lines.some(({ sync }) => sync)) {
        this.#unsynced = true
        await handle.datasync()
        this.#unsynced = false
      }
      this.#torn = false
      this.#blank = false
      this.#end = end + content.length
      this.#changes = known === null ? null : few([...known, ...changes])
    } catch (error) {
      await handle.truncate(end).then(
        () => {
          this.#torn = false
        },
        () => {},
      )
      await this.#close()
      throw error
    }
    // After an end hardly anything comes.
    if (changes.some(({ type }) => type === 'ended')) await this.#close()
    else this.#disk.openJournals.keep(this)
  }

  async #close(): Promise<void> {
    this.#disk.openJournals.closed(this)
    const handle = this.#handle
    this.#handle = null
    if (handle !== null) await closeQuietly(handle)
  }

  /** Makes the file fit for an append, whatever happened to it before. */
  async #prepare(): Promise<void> {
    if (this.#end === null) await this.#read()
    await this.#clear()
    // A file rewritten whole owes nothing to the pages of the old one.
    if (this.#unsynced || this.#header === null) await this.#rewrite((await this.#read()).changes, this.#boot())
    else if (this.#torn) await this.#truncate(this.#end ?? 0)
  }

  async #read(): Promise<JournalContents> {
    if (this.#blank) return { header: this.#header, changes: [], end: 0 }
    const file = await this.#disk.read(this.#path)
    const bytes = file ?? Buffer.alloc(0)
    const contents = decodeJournal(this.#end === null ? bytes : bytes.subarray(0, this.#end))
    if (contents.header !== null && contents.header.id !== this.#id) {
      throw new Error(`The journal of upload ${this.#id} was written for another upload.`)
    }
    // Where another process owns it that may be a line it is just writing.
    const torn = this.#end === null && contents.end < bytes.length
    if (torn && !this.#disk.readOnly) await this.#truncate(contents.end)
    this.#end = file === null ? null : contents.end
    this.#header = contents.header
    this.#changes = few(contents.changes)
    this.#closed = null
    for (const change of contents.changes) this.#note(change)
    return contents
  }

  async #truncate(end: number): Promise<void> {
    await this.#disk.withFile(this.#path, 'r+', (handle) => handle.truncate(end))
    this.#torn = false
  }

  /** Removes what a crash or an error has left of a replacement: whatever ends an upload is appended after it. */
  async #clear(): Promise<void> {
    if (!this.#mayHaveNew) return
    await this.#disk.remove(this.#disk.layout.newJournal(this.#id))
    this.#mayHaveNew = false
  }

  async #rewrite(changes: readonly StoredChange[], boot: string): Promise<void> {
    const { layer, layout, fsync } = this.#disk
    const header: JournalHeader = { v: 1, id: this.#id, boot }
    const content = encodeLines([header, ...changes])
    const sync = fsync !== 'off'
    // One fixed name: the queue lets only one of these run, and a leftover is written over.
    this.#mayHaveNew = true
    this.#changes = null
    // The file that is open is about to lose its name.
    await this.#close()
    await this.#disk.write(layout.newJournal(this.#id), content, sync)
    // Until it is known which of the two stands, nothing of either is: the next line goes to the end of what is found.
    this.#end = null
    this.#header = null
    this.#blank = false
    await layer.rename(layout.newJournal(this.#id), this.#path)
    this.#mayHaveNew = false
    this.#end = content.length
    this.#header = header
    this.#changes = few(changes)
    this.#torn = false
    this.#closed = null
    for (const change of changes) this.#note(change)
    this.#unsynced = sync
    if (sync) await this.#disk.syncFolder(layout.upload(this.#id))
    this.#unsynced = false
  }

  /** A journal without a header is one that a power cut emptied: nothing in it needs to be looked at again. */
  #boot(): string {
    return this.#header?.boot ?? this.#disk.boot
  }

  #note(change: StoredChange): void {
    if (change.type === 'ended') this.#closed = change.status
    else if (change.type === 'completing') this.#closed ??= change.type
  }

  /** A line that a replay would have to pass over is not taken, or its writer would believe it recorded. */
  #refusal(change: StoredChange): UploadError | null {
    const closed = this.#closed
    if (closed === null) return null
    const same = change.type === 'ended' && change.status === closed
    if (closed !== 'completing' && closed !== 'uploaded') return same ? null : goneError(closed)
    if (change.type === 'digest' || change.type === 'completing' || same) return null
    if (change.type !== 'ended') return new UploadError('UPLOAD_COMPLETED')
    const { status, ofFile } = change
    const allowed = closed === 'completing' ? status !== 'expired' : endsFile(status, ofFile)
    return allowed ? null : new UploadError('UPLOAD_COMPLETED')
  }
}

function few(changes: readonly StoredChange[]): readonly StoredChange[] | null {
  return changes.length <= REMEMBERED ? changes : null
}
