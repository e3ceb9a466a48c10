import { UploadError } from '../../errors.ts'

/** The longest time a timer of Node keeps; a longer one would fire at once. */
const MAX_TIMER_MS = 0x7fff_ffff

/** One wait for a lock or for a chunk. It ends once: granted, or refused. */
export class Turn {
  /** Resolves when it is granted; rejects with the reason when it is refused. */
  readonly over: Promise<void>
  #settle: { readonly resolve: () => void; readonly reject: (error: Error) => void } | null = null
  readonly #endsAt: number
  readonly #signal: AbortSignal | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param waitMs How long it may wait, ms, from now on. */
  constructor(waitMs: number, signal: AbortSignal | undefined) {
    this.#endsAt = performance.now() + (waitMs > 0 ? waitMs : 0)
    this.over = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.#signal = signal
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** It is in the queue: from now on it ends when the time is over. The time until here was Redis'. */
  queue(): void {
    if (this.#settle === null || this.#timer !== undefined) return
    const restMs = Math.max(0, this.#endsAt - performance.now())
    this.#timer = setTimeout(() => this.refuse(locked()), Math.min(restMs, MAX_TIMER_MS))
  }

  grant(): void {
    this.#end()?.resolve()
  }

  refuse(error: Error): void {
    this.#end()?.reject(error)
  }

  #end() {
    const settle = this.#settle
    this.#settle = null
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#abort)
    return settle
  }

  readonly #abort = (): void => this.refuse(locked(this.#signal?.reason))
}

/** The refusal of one who waited in vain. */
export function locked(cause?: unknown): UploadError {
  return new UploadError('UPLOAD_LOCKED', cause === undefined ? {} : { cause })
}
