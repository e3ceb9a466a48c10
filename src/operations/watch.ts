import type { Caller } from '../access.ts'
import { isPartial } from '../concatenation.ts'
import type { FileRecord } from '../files.ts'
import { progressOf, type Progress } from '../progress.ts'
import { Speedometer } from '../speedometer.ts'
import { type GoneStatus, isGone, type Upload } from '../upload.ts'
import { authorised } from './authorised.ts'
import type { Context } from './context.ts'
import { expireIfDue } from './expire.ts'
import { published } from './file-url.ts'
import { load } from './records.ts'

/** What a watcher is told. After anything but `progress` there is nothing more to tell. */
export type News =
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'completed'; readonly file: FileRecord; readonly progress: Progress }
  | { readonly type: GoneStatus; readonly progress: Progress }

/** News come no closer than this, ms: at most four a second. */
const LEAST_MS = 250
/** How often it is looked whether another node has changed something, ms; less and less often while nothing changes. */
const SHORTEST_LOOK_MS = 1000
const LONGEST_LOOK_MS = 5000

/** The watches of this process, to be told of what happens here, and ended when it shuts down. */
export class Watches {
  readonly #watches = new Map<string, Set<Watch>>()

  add(watch: Watch): void {
    const others = this.#watches.get(watch.id) ?? new Set()
    this.#watches.set(watch.id, others.add(watch))
  }

  delete(watch: Watch): void {
    const others = this.#watches.get(watch.id)
    others?.delete(watch)
    if (others?.size === 0) this.#watches.delete(watch.id)
  }

  /** Something has happened to an upload. */
  touch(id: string): void {
    for (const watch of this.#watches.get(id) ?? []) watch.touch()
  }

  /** Ends all of them. */
  close(): void {
    for (const watches of this.#watches.values()) for (const watch of watches) watch.close()
  }

  /** How many there are. */
  get size(): number {
    let size = 0
    for (const watches of this.#watches.values()) size += watches.size
    return size
  }
}

/**
 * One who watches an upload, on whatever node it is written. He asks for the next news when he can take them: what has
 * happened meanwhile is told at once, as it is by then, so that the slow cost no memory.
 */
export class Watch {
  readonly id: string
  readonly #context: Context
  readonly #speed = new Speedometer()
  #told: string | null = null
  #toldAt = -Infinity
  #lookMs = SHORTEST_LOOK_MS
  #lookAt = 0
  #touched = true
  #closed = false
  #wake: () => void = () => {}

  constructor(context: Context, id: string) {
    this.#context = context
    this.id = id
    context.watches.add(this)
  }

  /**
   * Waits for news, `waitMs` at most; null when there are none by then. When {@link Watch.closed} there never are.
   */
  async next(waitMs: number): Promise<News | null> {
    const until = performance.now() + waitMs
    while (!this.#closed) {
      const now = performance.now()
      // Also where nothing has happened here: it may have elsewhere.
      const dueAt = this.#touched ? this.#toldAt + LEAST_MS : this.#lookAt
      if (dueAt <= now) {
        const news = await this.#look()
        if (news !== null) return news
      } else if (until <= now) return null
      else await this.#sleep(Math.min(dueAt, until) - now, !this.#touched)
    }
    return null
  }

  /** Whether there is nothing more to come. */
  get closed(): boolean {
    return this.#closed
  }

  /** Something may have changed. */
  touch(): void {
    this.#touched = true
    this.#wake()
  }

  /** Ends it; frees what it holds. A second time does nothing. */
  close(): void {
    this.#closed = true
    this.#context.watches.delete(this)
    this.#wake()
  }

  /** What is new since the last look, or null. */
  async #look(): Promise<News | null> {
    this.#touched = false
    this.#lookAt = performance.now() + this.#lookMs
    const upload = await this.#find()
    if (upload === 'unknown') return null
    if (upload === null) {
      this.close()
      return null
    }
    const facts = factsOf(upload)
    // While nothing changes, less and less is asked.
    this.#lookMs = facts === this.#told ? Math.min(this.#lookMs * 2, LONGEST_LOOK_MS) : SHORTEST_LOOK_MS
    this.#lookAt = performance.now() + this.#lookMs
    if (facts === this.#told) return null
    const news = await this.#newsOf(upload)
    if (news === null) return null
    this.#told = facts
    this.#toldAt = performance.now()
    if (news.type !== 'progress') this.close()
    return news
  }

  /** The upload as it is; null where it is not any more, `unknown` where that cannot be said now. */
  async #find(): Promise<Upload | null | 'unknown'> {
    try {
      const upload = await load(this.#context, this.id)
      return upload === null ? null : await expireIfDue(this.#context, upload)
    } catch {
      // State or storage is away; whoever watches is told when they are back.
      return 'unknown'
    }
  }

  async #newsOf(upload: Upload): Promise<News | null> {
    const progress = this.#progressOf(upload)
    if (isGone(upload)) return { type: upload.status, progress }
    // A part of files to come is no file, whole or not.
    if (upload.status !== 'uploaded' || isPartial(upload)) return { type: 'progress', progress }
    try {
      const file = await this.#context.storage.files.get(upload.manifest.fileId)
      // Removed in this moment: its end is seen with the next look.
      return file === null ? null : { type: 'completed', file: published(this.#context.options, file), progress }
    } catch {
      return null
    }
  }

  /** The speed is what the node measures that takes the bytes; on others it is measured here. */
  #progressOf(upload: Upload): Progress {
    const now = this.#context.options.now()
    this.#speed.sample(now, upload.ledger.durableBytes)
    return progressOf(upload, (this.#context.speeds.get(this.id) ?? this.#speed).bytesPerSecond(now))
  }

  /** Waits; with `touchable` not longer than until something may have changed. */
  async #sleep(ms: number, touchable: boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        if (!touchable && !this.#closed) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = () => {}
  }
}

/** What makes an upload another than it was, for those who watch it. */
function factsOf({ status, size, ledger }: Upload): string {
  return `${status} ${size} ${ledger.durableBytes} ${ledger.chunks.size}`
}

/** See {@link Uploads.watch}. */
export function watch(context: Context, id: string, caller: Caller): Promise<Watch> {
  return context.bodies.run(async () => {
    await authorised(context, id, 'read', caller, { afterEnd: true })
    return new Watch(context, id)
  })
}
