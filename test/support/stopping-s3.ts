import type { S3Sender } from '../../src/storage/s3/index.ts'

/** A request to S3 at which something happens. */
export interface S3Moment {
  /** The operation: `PutObject`, `UploadPart`, … */
  readonly name: string
  /** What its key has to contain. @default anything */
  readonly key?: string
  /** The part, for `UploadPart`. @default any */
  readonly part?: number
  /** Before it is sent, or after it was answered. */
  readonly when: 'before' | 'after'
  /** How many such requests. @default 1 */
  readonly times?: number
}

/** A client of S3 that does something right before it sends one request, or right after that was answered. */
export class StoppingS3 implements S3Sender {
  readonly #inner: S3Sender
  readonly #stop: () => Promise<void>
  #moment: S3Moment | null = null
  #times = 0

  constructor(inner: S3Sender, stop: () => Promise<void>) {
    this.#inner = inner
    this.#stop = stop
  }

  /** At the next requests of that kind. */
  stopAt(moment: S3Moment): void {
    this.#moment = moment
    this.#times = moment.times ?? 1
  }

  async send(command: object, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown> {
    const moment = this.#moment
    if (moment === null || !isAt(moment, command)) return this.#inner.send(command, options)
    this.#times -= 1
    if (this.#times === 0) this.#moment = null
    if (moment.when === 'before') await this.#stop()
    const answer = await this.#inner.send(command, options)
    if (moment.when === 'after') await this.#stop()
    return answer
  }
}

function isAt({ name, key = '', part }: S3Moment, command: object): boolean {
  if (command.constructor.name !== `${name}Command`) return false
  const { input } = command as { readonly input: { readonly Key?: string; readonly PartNumber?: number } }
  return (input.Key ?? '').includes(key) && (part === undefined || input.PartNumber === part)
}
