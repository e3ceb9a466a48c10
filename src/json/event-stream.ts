import { Readable } from 'node:stream'
import type { News, Watch } from '../uploads.ts'
import { completedView, progressView } from './views.ts'

/** How an {@link EventStream} is sent. */
export interface EventStreamOptions {
  /** A comment goes out after so long without an event, ms, so that nothing on the way takes the connection for dead. */
  readonly commentMs: number
  /** Whether a checksum that is not known yet is being computed. */
  readonly computes: boolean
}

/** When a client whose stream has ended comes again, ms: not all of those a node had at the same time. */
const RETRY_MS = 1000
const RETRY_SPREAD_MS = 4000

/**
 * Server-Sent Events of one upload (https://html.spec.whatwg.org/multipage/server-sent-events.html): `snapshot`, then
 * `progress`, then its end. It is made as it is read: for a client that reads slowly nothing piles up.
 */
export class EventStream extends Readable {
  readonly #watch: Watch
  readonly #options: EventStreamOptions
  #begun = false

  constructor(watch: Watch, options: EventStreamOptions) {
    // One event at a time is made ahead, whatever its size.
    super({ highWaterMark: 1 })
    this.#watch = watch
    this.#options = options
  }

  override _read(): void {
    void this.#produce()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#watch.close()
    callback(error)
  }

  async #produce(): Promise<void> {
    try {
      const news = await this.#watch.next(this.#options.commentMs)
      if (news !== null) this.push(this.#textOf(news))
      else if (this.#watch.closed) this.push(null)
      else this.push(': still here\n\n')
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #textOf(news: News): string {
    const progress = JSON.stringify(progressView(news.progress))
    const snapshot = this.#begun ? '' : snapshotOf(progress)
    this.#begun = true
    if (news.type === 'progress') return `${snapshot}event: progress\ndata: ${progress}\n\n`
    const data = news.type === 'completed' ? JSON.stringify(completedView(news.file, this.#options.computes)) : progress
    // With its id a client comes again that does not close the stream at its end, and is told to stay away.
    return `${snapshot}id: ${END_ID}\nevent: ${news.type}\ndata: ${data}\n\n`
  }
}

/** `id` of the event that ends a stream. */
export const END_ID = 'end'

function snapshotOf(progress: string): string {
  const retry = Math.round(RETRY_MS + Math.random() * RETRY_SPREAD_MS)
  return `retry: ${retry}\nevent: snapshot\ndata: ${progress}\n\n`
}
