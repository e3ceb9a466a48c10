import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import type { Calls, CallOptions, Payload } from './calls.ts'
import type { Attempt } from './retry.ts'
import { isNoSuchKey } from './s3-error.ts'

/** What is said of an object beside its bytes. */
export interface ObjectFacts {
  /** Bytes. */
  readonly size: number
  readonly etag: string
  readonly metadata: Readonly<Record<string, string>>
  /** A SHA-256 as S3 writes it, where it knows one: of the bytes, or of the parts' digests. */
  readonly checksum: string | null
  /** ms since the epoch, by the clock of S3. */
  readonly modifiedAt: number
}

/** An object that is being read. Whoever has it reads or destroys the body. */
export interface OpenObject {
  readonly facts: ObjectFacts
  readonly body: Readable
}

/** What is written with an object's bytes. */
export interface ObjectHeaders {
  readonly contentType?: string
  readonly contentDisposition?: string
  readonly metadata?: Readonly<Record<string, string>>
}

/** On what a write depends: that nothing is there, or that what is there has this ETag. */
export type Condition = { readonly absent: true } | { readonly etag: string }

/** An object as a listing names it. */
export interface ListedObject {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly etag: string
  /** ms since the epoch, by the clock of S3. */
  readonly modifiedAt: number
}

/**
 * A bucket: its objects. Errors are those of S3. (Not `Bucket`: TypeScript 7.0 compiles the property of that name in a class of
 * that name, as S3 commands have it, to something else.)
 */
export class ObjectBucket {
  readonly name: string
  readonly calls: Calls
  readonly #checksums: boolean

  constructor(calls: Calls, name: string, checksums: boolean) {
    this.calls = calls
    this.name = name
    this.#checksums = checksums
  }

  /** Whether the bucket is there, and lets us in. */
  async check(options: CallOptions = {}): Promise<void> {
    await this.calls.send(() => new HeadBucketCommand({ Bucket: this.name }), options)
  }

  /** Writes an object; returns its ETag. */
  async put(key: string, payload: Payload, headers: ObjectHeaders = {}, condition?: Condition): Promise<string> {
    const { ETag } = await this.calls.send(
      () =>
        new PutObjectCommand({
          Bucket: this.name,
          Key: key,
          ContentLength: payload.size,
          ...(this.#checksums ? { ChecksumSHA256: Buffer.from(payload.sha256, 'hex').toString('base64') } : {}),
          ...(headers.contentType === undefined ? {} : { ContentType: headers.contentType }),
          ...(headers.contentDisposition === undefined ? {} : { ContentDisposition: headers.contentDisposition }),
          ...(headers.metadata === undefined ? {} : { Metadata: headers.metadata }),
          ...(condition === undefined ? {} : 'etag' in condition ? { IfMatch: condition.etag } : { IfNoneMatch: '*' }),
        }),
      { payload },
    )
    return must(ETag, 'ETag')
  }

  /** What is said of an object, or null where there is none. */
  async head(key: string): Promise<ObjectFacts | null> {
    const mode = this.#checksums ? ({ ChecksumMode: 'ENABLED' } as const) : {}
    const answer = await unlessMissing(
      this.calls.send(() => new HeadObjectCommand({ Bucket: this.name, Key: key, ...mode })),
    )
    return answer === null ? null : factsOf(answer)
  }

  /**
   * Opens bytes `[start, end)` of an object; all of them where no range is given. `signal` ends it, also while it is read.
   * With `etag` only if it is still that object.
   */
  open(
    key: string,
    options: { readonly range?: readonly [number, number]; readonly etag?: string; readonly signal: AbortSignal },
  ): Promise<OpenObject> {
    const { signal } = options
    return this.calls.retried((attempt) => this.#open(key, options, attempt), { signal })
  }

  /** A small object whole, or null where there is none. */
  async read(key: string): Promise<{ readonly facts: ObjectFacts; readonly bytes: Buffer } | null> {
    return await unlessMissing(
      this.calls.retried(async (attempt) => {
        const { facts, body } = await this.#open(key, { signal: attempt.signal }, attempt)
        const pieces: Buffer[] = []
        for await (const piece of body) {
          attempt.moved()
          pieces.push(piece as Buffer)
        }
        return { facts, bytes: Buffer.concat(pieces) }
      }),
    )
  }

  /** Deletes an object; nothing happens where there is none. */
  async remove(key: string, options: CallOptions = {}): Promise<void> {
    await this.calls.send(() => new DeleteObjectCommand({ Bucket: this.name, Key: key }), options)
  }

  /** The objects whose keys begin with `prefix`. */
  async *list(prefix: string): AsyncGenerator<ListedObject> {
    for await (const { Contents = [] } of this.#pages(prefix, false)) {
      for (const { Key, Size, ETag, LastModified } of Contents) {
        const modifiedAt = LastModified?.getTime() ?? 0
        yield { key: must(Key, 'Key'), size: Size ?? 0, etag: ETag ?? '', modifiedAt }
      }
    }
  }

  /** The folders below `prefix`, with their final slash. */
  async *folders(prefix: string): AsyncGenerator<string> {
    for await (const { CommonPrefixes = [] } of this.#pages(prefix, true)) {
      for (const { Prefix } of CommonPrefixes) if (Prefix !== undefined) yield Prefix
    }
  }

  async *#pages(prefix: string, folders: boolean) {
    let token: string | undefined
    do {
      const from = token
      const page = await this.calls.send(
        () =>
          new ListObjectsV2Command({
            Bucket: this.name,
            Prefix: prefix,
            ...(folders ? { Delimiter: '/' } : {}),
            ...(from === undefined ? {} : { ContinuationToken: from }),
          }),
      )
      yield page
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async #open(
    key: string,
    options: { readonly range?: readonly [number, number]; readonly etag?: string; readonly signal: AbortSignal },
    attempt: Attempt,
  ): Promise<OpenObject> {
    const { range, etag, signal } = options
    const command = new GetObjectCommand({
      Bucket: this.name,
      Key: key,
      ...(range === undefined ? {} : { Range: `bytes=${range[0]}-${range[1] - 1}` }),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    })
    const answer = await this.calls.once(command, attempt, { signal })
    // In Node the SDK hands out the answer's own stream.
    return { facts: factsOf(answer), body: must(answer.Body, 'Body') as unknown as Readable }
  }
}

interface Answer {
  readonly ContentLength?: number | undefined
  readonly ETag?: string | undefined
  readonly Metadata?: Record<string, string> | undefined
  readonly ChecksumSHA256?: string | undefined
  readonly LastModified?: Date | undefined
}

function factsOf(answer: Answer): ObjectFacts {
  return {
    size: answer.ContentLength ?? 0,
    etag: answer.ETag ?? '',
    metadata: answer.Metadata ?? {},
    checksum: answer.ChecksumSHA256 ?? null,
    modifiedAt: answer.LastModified?.getTime() ?? 0,
  }
}

/** What S3 always says. */
export function must<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`S3 answered without ${name}.`)
  return value
}

/** What a call comes to, or null where there is no such object. */
async function unlessMissing<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call
  } catch (error) {
    if (isNoSuchKey(error)) return null
    throw error
  }
}
