import { EventEmitter } from 'node:events'
import type { ErrorCode } from './errors.ts'
import type { FileRecord } from './files.ts'
import type { Upload } from './upload.ts'

/** An upload that has failed. */
export interface FailedUpload extends Upload {
  /** Why, as its client was or will be told. */
  readonly code: ErrorCode
}

/** What happens to uploads, by event name. */
export interface UploadEventMap {
  /** An upload was created. */
  created: [upload: Upload]
  /** More bytes became durable. */
  progress: [upload: Upload]
  /** The whole file stands under its final key. */
  completed: [file: FileRecord, upload: Upload]
  cancelled: [upload: Upload]
  expired: [upload: Upload]
  failed: [upload: FailedUpload]
}

/** Somebody who is told of every event. */
type Observer = (name: keyof UploadEventMap, upload: Upload) => void

/** Typed events of the uploads of this process. A listener that throws is reported to `onError` and harms no request. */
export class UploadEvents extends EventEmitter<UploadEventMap> {
  readonly #onError: (error: unknown, where: string) => void
  readonly #observers: Observer[] = []

  constructor(onError: (error: unknown, where: string) => void) {
    super()
    this.#onError = onError
  }

  /** Has somebody told of every event, whatever an application does with its listeners. He must not throw. */
  observe(observer: Observer): void {
    this.#observers.push(observer)
  }

  /** Every listener is called, also after one that throws. */
  override emit<K extends keyof UploadEventMap>(name: K, ...args: UploadEventMap[K]): boolean {
    const event: UploadEventMap[keyof UploadEventMap] = args
    for (const observe of this.#observers) observe(name, event.length === 2 ? event[1] : event[0])
    const listeners = this.rawListeners(name)
    for (const listener of listeners) void this.#tell(name, listener, args)
    return listeners.length > 0
  }

  async #tell(name: string, listener: (...args: never[]) => unknown, args: readonly unknown[]): Promise<void> {
    try {
      // Listeners are often async functions: nobody else would hear of their failure, and it would end the process.
      await Reflect.apply(listener, this, args)
    } catch (error) {
      this.#onError(error, `a listener of '${name}'`)
    }
  }
}
