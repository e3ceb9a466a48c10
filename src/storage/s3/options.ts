import type { GridLimits } from '../../grid.ts'
import type { Json } from '../../upload.ts'
import type { S3Sender } from './calls.ts'
import { Keys } from './keys.ts'
import type { RetryPolicy } from './retry.ts'

/** What is known of a file when its key is asked for: at its creation. */
export interface FileToStore {
  readonly fileId: string
  readonly uploadId: string
  readonly owner: string | null
  readonly fileName: string
  readonly contentType: string
  /** Bytes, or null while the length is deferred. */
  readonly size: number | null
  readonly metadata: { readonly [key: string]: Json }
}

/** A finished file whose address is to be signed. */
export interface FileToFetch {
  readonly bucket: string
  readonly key: string
  readonly fileId: string
}

/** In what an S3-compatible storage differs from AWS. */
export interface S3Dialect {
  /**
   * Whether it keeps a SHA-256 with every part and tells it in ListParts. Without, a ledger that state has lost cannot be
   * rebuilt: those chunks have to be sent again.
   * @default true
   */
  readonly checksums?: boolean
  /**
   * Whether it heeds If-None-Match and If-Match on PutObject. Without, one process at a time may use the bucket: two that
   * end one upload in the same moment, or go on from one tail, can both believe they did. `open` tries it.
   * @default true
   */
  readonly conditionalWrites?: boolean
  /** Most parts of a multipart upload. @default 10_000 */
  readonly maxParts?: number
  /** Least bytes of every part but the last. @default 5_242_880 (5 MiB) */
  readonly minPartSize?: number
  /** Most bytes of a part. @default 5_368_709_120 (5 GiB) */
  readonly maxPartSize?: number
}

/** Options of `S3Storage`. */
export interface S3StorageOptions {
  /**
   * The client, borrowed: it is never destroyed. Requests are tried again here, so it should make one attempt
   * (`s3ClientOptions()` says so, and limits their time).
   */
  readonly client: S3Sender
  /** The bucket's name; it must exist. */
  readonly bucket: string
  /** What the keys of our own objects begin with: empty, or ending with a slash. @default 'holdfast/' */
  readonly prefix?: string
  /**
   * Names the object of a file, asked once, at its creation. The whole key: the prefix is not put before it. No two files
   * may have the same.
   * @default `{prefix}files/{fileId}/{uploadId}`
   */
  readonly key?: (file: FileToStore) => string
  /**
   * Signs an address by which a client fetches a finished file from the storage itself, for a while: downloads over the JSON
   * API are redirected to it. With `@aws-sdk/s3-request-presigner`: `({ bucket, key }) => getSignedUrl(client, new
   * GetObjectCommand({ Bucket: bucket, Key: key }), { expiresIn: 900 })`.
   * @default the bytes pass through this process
   */
  readonly downloadUrl?: (file: FileToFetch) => string | Promise<string>
  /** Most chunks of one upload, up to what the dialect allows. @default 10_000 */
  readonly maxChunks?: number
  /** In what the storage differs from AWS. @default as AWS */
  readonly dialect?: S3Dialect
  /** How often and how long requests are tried, ms. @default 5 attempts within 60 s, 20 s without a byte */
  readonly retry?: Partial<RetryPolicy>
  /** Told, in one line, what was set right that an operator should know of. @default nobody */
  readonly onWarning?: (message: string) => void
  /** Told of every failure after which a request is tried again. @default nobody */
  readonly onRetry?: (error: unknown) => void
  /** The time, ms since the epoch. @default Date.now */
  readonly now?: () => number
}

/** Options, checked and complete. */
export interface ResolvedS3Options {
  readonly client: S3Sender
  readonly bucket: string
  readonly keys: Keys
  readonly key: ((file: FileToStore) => string) | null
  readonly downloadUrl: ((file: FileToFetch) => string | Promise<string>) | null
  readonly limits: GridLimits
  readonly checksums: boolean
  readonly conditionalWrites: boolean
  readonly retry: RetryPolicy
  readonly onWarning: (message: string) => void
  readonly onRetry: (error: unknown) => void
  readonly now: () => number
}

const MIB = 1024 * 1024

/** @throws TypeError naming the option that is wrong */
export function resolveS3Options(options: S3StorageOptions): ResolvedS3Options {
  const { client, bucket, prefix = 'holdfast/', dialect = {}, maxChunks, key = null, onWarning = () => {} } = options
  const { downloadUrl = null } = options
  if (typeof client?.send !== 'function') throw new TypeError('client must be an S3Client.')
  if (typeof bucket !== 'string' || bucket === '') throw new TypeError('bucket must be the name of a bucket.')
  if (typeof prefix !== 'string' || (prefix !== '' && !/^[^/].*\/$/s.test(prefix))) {
    throw new TypeError(`prefix must be empty, or end with a slash and not begin with one: ${JSON.stringify(prefix)}`)
  }
  if (key !== null && typeof key !== 'function') throw new TypeError('key must be a function.')
  if (downloadUrl !== null && typeof downloadUrl !== 'function') throw new TypeError('downloadUrl must be a function.')
  const maxParts = count('dialect.maxParts', dialect.maxParts ?? 10_000)
  return {
    client,
    bucket,
    keys: new Keys(prefix),
    key,
    downloadUrl,
    limits: {
      minChunkSize: count('dialect.minPartSize', dialect.minPartSize ?? 5 * MIB),
      maxChunkSize: count('dialect.maxPartSize', dialect.maxPartSize ?? 5 * 1024 * MIB),
      maxChunks: Math.min(count('maxChunks', maxChunks ?? maxParts), maxParts),
    },
    checksums: dialect.checksums ?? true,
    conditionalWrites: dialect.conditionalWrites ?? true,
    retry: resolveRetry(options.retry ?? {}),
    onWarning,
    onRetry: options.onRetry ?? (() => {}),
    now: options.now ?? Date.now,
  }
}

function resolveRetry(chosen: Partial<RetryPolicy>): RetryPolicy {
  return {
    attempts: count('retry.attempts', chosen.attempts ?? 5),
    baseMs: count('retry.baseMs', chosen.baseMs ?? 100),
    longestPauseMs: count('retry.longestPauseMs', chosen.longestPauseMs ?? 3_000),
    totalMs: count('retry.totalMs', chosen.totalMs ?? 60_000),
    stallMs: count('retry.stallMs', chosen.stallMs ?? 20_000),
  }
}

function count(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new TypeError(`${name} must be a whole number above 0.`)
}
