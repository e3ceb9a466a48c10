import type { UploadProgress } from '../../client/index.ts'
import { progressLine, progressLog } from './progress-text.ts'

/** Where progress is shown. */
export interface ProgressOutput {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** How often a terminal is painted, and a log written to, ms. */
const PAINT_MS = 100
const LOG_MS = 5000

/** Shows how far an upload is: on a terminal in one line that changes, else in a line now and then. */
export class ProgressDisplay {
  readonly #output: ProgressOutput
  readonly #now: () => number
  #shownAt = -Infinity
  #state: UploadProgress['state'] | null = null
  #isOpen = false

  constructor(output: ProgressOutput, now: () => number = () => performance.now()) {
    this.#output = output
    this.#now = now
  }

  show(progress: UploadProgress): void {
    if (this.#output.isTTY === true) this.#paint(progress, this.#output.columns ?? 80)
    else this.#log(progress)
  }

  #paint(progress: UploadProgress, columns: number): void {
    if (!this.#isDue(PAINT_MS) && progress.state === this.#state) return
    this.#shown(progress)
    this.#output.write(`\r\u001b[2K${progressLine(progress, columns)}`)
    this.#isOpen = true
  }

  #log(progress: UploadProgress): void {
    // A short upload needs no line.
    if (this.#shownAt === -Infinity) this.#shownAt = this.#now()
    // That it waits, and why, is told at once.
    const begins = progress.state === 'waiting' && this.#state !== 'waiting'
    if (!begins && !this.#isDue(LOG_MS)) return
    this.#shown(progress)
    this.#output.write(`${progressLog(progress)}\n`)
  }

  #isDue(everyMs: number): boolean {
    return this.#now() - this.#shownAt >= everyMs
  }

  #shown({ state }: UploadProgress): void {
    this.#shownAt = this.#now()
    this.#state = state
  }

  /** Clears the line, so that something else can be written. */
  clear(): void {
    if (this.#isOpen) this.#output.write('\r\u001b[2K')
    this.#isOpen = false
    this.#shownAt = -Infinity
    this.#state = null
  }
}
