import type { S3Sender } from '../../src/storage/s3/index.ts'

/** A request to S3, as it was asked for. */
export interface S3Call {
  /** The operation: `PutObject`, `UploadPart`, … */
  readonly name: string
  readonly input: { readonly [key: string]: unknown }
}

/** What goes wrong with a request: it fails before it has done anything, or after it has done it all. */
export interface S3Fault {
  readonly when: 'before' | 'after'
  readonly error: Error
}

/** An error as S3 answers it. */
export function s3Error(name: string, httpStatusCode: number): Error {
  return Object.assign(new Error(`S3 says ${name}.`), { name, $metadata: { httpStatusCode } })
}

/** An error that says nothing of what was done. */
export const internalError = (): Error => s3Error('InternalError', 500)

/** A client of S3 that keeps every request, and can fail any. */
export class FaultyS3 implements S3Sender {
  readonly calls: S3Call[] = []
  /** Asked before every request; can be set anew at any time. */
  plan: (call: S3Call) => S3Fault | null = () => null
  readonly #inner: S3Sender

  constructor(inner: S3Sender) {
    this.#inner = inner
  }

  /** The operations that were asked for since `from`, in order. */
  names(from = 0): string[] {
    return this.calls.slice(from).map(({ name }) => name)
  }

  /** Fails the next request of a name once. */
  failNext(name: string, fault: S3Fault): void {
    this.plan = (call) => {
      if (call.name !== name) return null
      this.plan = () => null
      return fault
    }
  }

  async send(command: object, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown> {
    const call = { name: command.constructor.name.replace(/Command$/, ''), input: inputOf(command) }
    this.calls.push(call)
    const fault = this.plan(call)
    if (fault?.when === 'before') throw fault.error
    const answer = await this.#inner.send(command, options)
    if (fault !== null) throw fault.error
    return answer
  }
}

function inputOf(command: object): { readonly [key: string]: unknown } {
  if ('input' in command && typeof command.input === 'object' && command.input !== null) return { ...command.input }
  throw new Error('A command has no input.')
}
