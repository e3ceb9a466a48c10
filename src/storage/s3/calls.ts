import { Readable } from 'node:stream'
import type { $Command, S3ClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-s3'
import { type Attempt, type RetryClock, type RetryPolicy, retried, systemClock } from './retry.ts'
import { isPassing } from './s3-error.ts'

/** The small part of the AWS SDK's `S3Client` that is called: a client of any version 3 fits, and so does a fake. */
export interface S3Sender {
  send(command: object, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>
}

/** A command of the SDK, by what it answers. */
export type S3Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = $Command<
  I,
  O,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>

/** Bytes to be sent, and what is known of them before they are. */
export interface Payload {
  /** Bytes. */
  readonly size: number
  /** SHA-256 in hex: signed with the request, and compared by S3 with what it receives. */
  readonly sha256: string
  /** The bytes; those that are not in one piece are read anew for every attempt. */
  readonly body: Buffer | (() => AsyncIterable<Buffer>)
}

/** How one request is made. */
export interface CallOptions {
  readonly payload?: Payload
  /** Ends the call, also between attempts. */
  readonly signal?: AbortSignal
  /** Replaces parts of the policy. */
  readonly policy?: Partial<RetryPolicy>
}

/** What every request passes through: attempts and pauses, time limits, and its form on the wire. */
export class Calls {
  readonly policy: RetryPolicy
  readonly #client: S3Sender
  readonly #checksums: boolean
  readonly #clock: RetryClock
  readonly #onRetry: (error: unknown) => void

  constructor(
    client: S3Sender,
    policy: RetryPolicy,
    checksums: boolean,
    clock: RetryClock = systemClock,
    onRetry: (error: unknown) => void = () => {},
  ) {
    this.#client = client
    this.policy = policy
    this.#checksums = checksums
    this.#clock = clock
    this.#onRetry = onRetry
  }

  /** Sends a command until it is answered. `make` makes a new one for every attempt. */
  send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    make: () => S3Command<I, O>,
    options: CallOptions = {},
  ): Promise<O> {
    return this.retried((attempt) => this.once(make(), attempt, options), options)
  }

  /** Does more than one command can do, until it is done. */
  retried<T>(work: (attempt: Attempt) => Promise<T>, { policy, signal }: CallOptions = {}): Promise<T> {
    const passes = (error: unknown) => signal?.aborted !== true && isPassing(error)
    const whole = policy === undefined ? this.policy : { ...this.policy, ...policy }
    return retried(work, passes, whole, this.#clock, this.#onRetry)
  }

  /** One attempt. */
  async once<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: S3Command<I, O>,
    attempt: Attempt,
    { payload, signal }: CallOptions,
  ): Promise<O> {
    const bodies: Readable[] = []
    if (payload !== undefined) this.#shape(command, payload, attempt, bodies)
    const abortSignal = signal === undefined ? attempt.signal : AbortSignal.any([attempt.signal, signal])
    try {
      return (await this.#client.send(command, { abortSignal })) as O
    } finally {
      for (const body of bodies) {
        // Answered before all was sent: the rest is not read any more, and the connection is of no further use.
        if (!body.readableEnded) attempt.leave()
        body.destroy()
      }
    }
  }

  /**
   * A write is one plain PUT, signed over the SHA-256 that is known already: the SDK would hash the bytes a second time,
   * or send them in pieces with a trailer. The body is put in last of all. So the SDK does not ask for leave to send it,
   * for which it would open a new connection; and its own retries, where a borrowed client makes any, each read it from
   * its beginning.
   */
  #shape<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: S3Command<I, O>,
    payload: Payload,
    attempt: Attempt,
    bodies: Readable[],
  ): void {
    const checksums = this.#checksums
    command.middlewareStack.add(
      (next) => (args) => {
        const { headers } = httpRequest(args.request)
        headers['x-amz-content-sha256'] = payload.sha256
        if (!checksums) {
          for (const name of Object.keys(headers)) if (/^x-amz-(?:sdk-)?checksum-/i.test(name)) delete headers[name]
        }
        return next(args)
      },
      { step: 'build', priority: 'low', name: 'holdfastHeaders', override: true },
    )
    command.middlewareStack.add(
      (next) => (args) => {
        const body = Buffer.isBuffer(payload.body) ? payload.body : stream(payload.body(), attempt)
        if (body instanceof Readable) bodies.push(body)
        const request = httpRequest(args.request)
        return next({
          ...args,
          request: Object.assign(Object.create(Object.getPrototypeOf(request)), request, { body }),
        })
      },
      { step: 'finalizeRequest', priority: 'low', name: 'holdfastBody', override: true },
    )
  }
}

function stream(source: AsyncIterable<Buffer>, attempt: Attempt): Readable {
  async function* moving() {
    for await (const buffer of source) {
      attempt.moved()
      yield buffer
    }
  }
  const body = Readable.from(moving(), { objectMode: false })
  // The SDK pipes it, and a pipe does not pass errors on: the request would wait for ever.
  body.on('error', (error) => attempt.fail(error))
  return body
}

function httpRequest(request: unknown): { readonly headers: Record<string, string> } {
  if (typeof request === 'object' && request !== null && 'headers' in request) {
    return request as { readonly headers: Record<string, string> }
  }
  throw new Error('The S3 client makes no HTTP requests.')
}
