import { tmpdir } from 'node:os'
import { ownerMay, type Authenticate, type Authorize } from './access.ts'
import type { FileRecord } from './files.ts'
import { type GridLimits, MIB } from './grid.ts'
import { parseTypePattern } from './media-types.ts'
import { parseSize } from './size.ts'
import { MemoryState } from './state/memory.ts'
import type { State } from './state/state.ts'
import type { Storage } from './storage/storage.ts'
import type { Manifest, Upload } from './upload.ts'
import { Webhook, type WebhookOptions } from './webhooks/webhook.ts'

/** What an application chooses. Only `storage` has no default. */
export interface UploadsOptions {
  /** Where bytes and their records are kept. It belongs to the uploads from here on: `close()` closes it. */
  readonly storage: Storage
  /** Ledgers as requests read them, and locks. @default new MemoryState(): this process alone */
  readonly state?: State
  /** Says who sends a request, for the adapters: it is asked on both faces, and null is 401. @default nobody is asked */
  readonly authenticate?: Authenticate
  /** Decides who may do what. What is denied on an upload that exists looks like one that does not. @default an upload is its owner's */
  readonly authorize?: Authorize
  /**
   * Asked before an upload is made; it throws an UploadError to refuse one: `throw new UploadError('FORBIDDEN')`. A
   * repeated request (`Idempotency-Key`) for an upload that is there already does not ask again. @default all are made
   */
  readonly beforeCreate?: (upload: Manifest) => void | Promise<void>
  /**
   * Asked before an upload whose bytes are all there becomes a file; it throws an UploadError to refuse: `throw new
   * UploadError('FORBIDDEN')`. The client that wanted it is told that; the upload stays as it is until it is cancelled or
   * expires. `complete` asks again each time; a tus client, which wants it with every HEAD and PATCH, once a minute on
   * each node. It is not asked any more once the upload is `completing`, so after a crash before that it is asked again.
   * It is asked under the upload's lock: it must not wait for calls on the same upload. @default all are completed
   */
  readonly beforeComplete?: (upload: Upload) => void | Promise<void>
  /**
   * Told of every finished file, at least once: that it is owed stands in the file's record, and what a crash interrupts is
   * done again by the next start, or by another node. `file.id` is the key to deduplicate by. The client does not wait for
   * it, `close()` does. What it throws goes to `onError`, and it is called again: with growing pauses for 15 minutes, then
   * at every sweep, until the file is 3 days old or removed. `file.checksum` is null where nobody has asked for it yet.
   * @default nobody is told
   */
  readonly onCompleted?: (file: FileRecord) => void | Promise<void>
  /**
   * Told of every finished file as `onCompleted` is, at least once, over HTTP. Of uploads that are cancelled, expire or fail
   * it is told as long as this process lives, and not after a crash. @default nobody is told
   */
  readonly webhook?: WebhookOptions
  /**
   * Where a CDN serves the bucket, or the folder of finished files: the `url` of a file is this and its key, and downloads
   * over the JSON API are redirected there. Not this server: the CDN must not ask it for them. @default none
   */
  readonly cdnUrl?: string
  /** Size of a chunk where the client asks for none: bytes, or a text such as '5MiB'. @default 5 MiB */
  readonly chunkSize?: number | string
  /**
   * The smallest chunk that a client may ask for: bytes, or a text. Many small ones are much work for few bytes; a client that
   * sends such has a reason, so that only a server that is open to the world needs a limit. @default what the storage takes
   */
  readonly minChunkSize?: number | string
  /** Size of the largest file: bytes, or a text such as '50GiB'. @default none */
  readonly maxFileSize?: number | string
  /**
   * Types of the files that are taken, as they are declared: `image/png`, or with a wildcard `image/*`. A file of which nothing
   * is declared is an `application/octet-stream`. @default all
   */
  readonly allowedTypes?: readonly string[]
  /**
   * Whether a file's first bytes must be of a type allowed too. They are looked at as the file is made; one that is something
   * else ends its upload as `failed`. What has no mark to be known by (texts) is taken for what it was declared as. @default false
   */
  readonly sniffTypes?: boolean
  /** How many unfinished uploads a principal may have at a time. Who is not asked who he is has no quota. @default any number */
  readonly maxUploadsPerUser?: number
  /**
   * Bytes of a principal's unfinished uploads together, or a text such as '50GiB'. The whole of a file counts from its
   * creation to its end; where its length is not known, what has come of it and the chunk that is coming. @default any number
   */
  readonly maxBytesPerUser?: number | string
  /**
   * Memory for all bodies on their way to storage together: bytes, or a text such as '256MiB'. All have the same share of
   * it; where that would be too little for one more, it waits its turn, unread. @default 256 MiB
   */
  readonly memoryBudget?: number | string
  /**
   * Where bodies that are held before they are stored (object storage, and a tus body with a checksum on any) go when
   * memory is short: private files without a name, gone with the process. @default the system's folder for temporary files
   */
  readonly spoolDirectory?: string
  /** Bytes of all of them together, or a text such as '4GiB'. @default 4 GiB */
  readonly spoolBudget?: number | string
  /**
   * Whether every finished file gets a SHA-256 of the whole file (`full`), for which bytes that did not come in order are
   * read back, or only one that is known anyway (`composite`). One that a client declared is always verified. @default 'full'
   */
  readonly fileChecksum?: 'full' | 'composite'
  /** An upload expires this long after its last byte or resume, ms. @default 24 h */
  readonly expiresAfterMs?: number
  /** An unfinished upload expires this long after its creation in any case, ms. @default 7 days */
  readonly maxLifetimeMs?: number
  /** A finished file is deleted this long after its upload, at the next sweep, ms. @default never */
  readonly filesExpireAfterMs?: number
  /** How long an ended upload answers 410 before it answers 404, ms. @default 24 h */
  readonly tombstoneMs?: number
  /** How long a request waits for a lock before 423, ms. @default 10 s */
  readonly lockWaitMs?: number
  /**
   * A body that brings no byte for so long is ended, ms; what it brought is kept. So is a download whose client takes
   * none. @default 60 s
   */
  readonly idleTimeoutMs?: number
  /**
   * The least that a body must bring while others wait for memory, bytes a second, over half of `idleTimeoutMs` and at most
   * 30 s; one that is slower is ended, and what it brought is kept. 0 for none. @default 1024
   */
  readonly minBytesPerSecond?: number
  /** How often everything is swept, ms. @default 1 h */
  readonly sweepIntervalMs?: number
  /** Told of what went wrong where no client waits for an answer. @default does nothing */
  readonly onError?: (error: unknown, where: string) => void
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

/** The options, complete. What is inside sees only these. */
export type ResolvedOptions = Required<
  Omit<
    UploadsOptions,
    | 'authenticate'
    | 'beforeComplete'
    | 'onCompleted'
    | 'webhook'
    | 'cdnUrl'
    | 'chunkSize'
    | 'minChunkSize'
    | 'maxFileSize'
    | 'allowedTypes'
    | 'maxUploadsPerUser'
    | 'maxBytesPerUser'
    | 'memoryBudget'
    | 'spoolBudget'
    | 'filesExpireAfterMs'
  >
> & {
  readonly authenticate: Authenticate | null
  readonly beforeComplete: ((upload: Upload) => void | Promise<void>) | null
  readonly onCompleted: ((file: FileRecord) => void | Promise<void>) | null
  readonly webhook: Webhook | null
  readonly cdnUrl: string | null
  readonly chunkSize: number
  readonly maxFileSize: number | null
  /** As they are compared. */
  readonly allowedTypes: readonly string[] | null
  readonly maxUploadsPerUser: number | null
  readonly maxBytesPerUser: number | null
  readonly memoryBudget: number
  readonly spoolBudget: number
  readonly filesExpireAfterMs: number | null
  /** What the storage allows, and what there is room for. */
  readonly limits: GridLimits
}

const HOUR = 3_600_000
/** The longest a timer of Node waits; a longer one fires at once. */
const MAX_TIMER_MS = 0x7fff_ffff

/**
 * Copies, checks, fills and freezes the options.
 * @throws TypeError naming the option that is wrong
 */
export function resolveOptions(options: UploadsOptions): ResolvedOptions {
  const { storage } = options
  if (typeof storage !== 'object' || storage === null) {
    throw new TypeError('holdfast: the option `storage` is missing: pass a FileStorage or another Storage')
  }
  const memoryBudget = size('memoryBudget', options.memoryBudget ?? 256 * MIB)
  const spoolBudget = size('spoolBudget', options.spoolBudget ?? 4 * 1024 * MIB)
  const onError = harmless(func('onError', options.onError, () => {}))
  const stored = storage.holdsChunks ? heldLimits(storage.limits, memoryBudget, spoolBudget) : storage.limits
  const limits =
    options.minChunkSize === undefined ? stored : raised(stored, size('minChunkSize', options.minChunkSize))
  const resolved: ResolvedOptions = {
    storage,
    state: options.state === undefined ? new MemoryState() : object('state', options.state),
    authenticate: func('authenticate', options.authenticate, null),
    authorize: func('authorize', options.authorize, ownerMay),
    beforeCreate: func('beforeCreate', options.beforeCreate, () => {}),
    beforeComplete: func('beforeComplete', options.beforeComplete, null),
    onCompleted: func('onCompleted', options.onCompleted, null),
    webhook: options.webhook === undefined ? null : new Webhook(object('webhook', options.webhook), onError),
    cdnUrl: options.cdnUrl === undefined ? null : httpUrl('cdnUrl', options.cdnUrl),
    chunkSize: size('chunkSize', options.chunkSize ?? Math.max(5 * MIB, limits.minChunkSize)),
    maxFileSize: options.maxFileSize === undefined ? null : size('maxFileSize', options.maxFileSize),
    allowedTypes: options.allowedTypes === undefined ? null : types('allowedTypes', options.allowedTypes),
    sniffTypes: flag('sniffTypes', options.sniffTypes ?? false),
    maxUploadsPerUser:
      options.maxUploadsPerUser === undefined ? null : positive('maxUploadsPerUser', options.maxUploadsPerUser),
    maxBytesPerUser: options.maxBytesPerUser === undefined ? null : size('maxBytesPerUser', options.maxBytesPerUser),
    memoryBudget,
    spoolDirectory: text('spoolDirectory', options.spoolDirectory ?? tmpdir()),
    spoolBudget,
    limits,
    fileChecksum: oneOf('fileChecksum', options.fileChecksum ?? 'full', ['full', 'composite']),
    expiresAfterMs: positive('expiresAfterMs', options.expiresAfterMs ?? 24 * HOUR),
    maxLifetimeMs: positive('maxLifetimeMs', options.maxLifetimeMs ?? 7 * 24 * HOUR),
    filesExpireAfterMs:
      options.filesExpireAfterMs === undefined ? null : positive('filesExpireAfterMs', options.filesExpireAfterMs),
    tombstoneMs: positive('tombstoneMs', options.tombstoneMs ?? 24 * HOUR),
    lockWaitMs: timer('lockWaitMs', options.lockWaitMs ?? 10_000),
    idleTimeoutMs: timer('idleTimeoutMs', options.idleTimeoutMs ?? 60_000),
    minBytesPerSecond:
      options.minBytesPerSecond === 0 ? 0 : positive('minBytesPerSecond', options.minBytesPerSecond ?? 1024),
    sweepIntervalMs: timer('sweepIntervalMs', options.sweepIntervalMs ?? HOUR),
    onError,
    now: func('now', options.now, Date.now),
  }
  if (resolved.sniffTypes && resolved.allowedTypes === null) {
    throw new TypeError('holdfast: the option `sniffTypes` needs `allowedTypes`: it says which types are allowed')
  }
  const { minChunkSize, maxChunkSize } = limits
  if (resolved.chunkSize < minChunkSize || resolved.chunkSize > maxChunkSize) {
    throw new TypeError(
      `holdfast: the option \`chunkSize\` is ${resolved.chunkSize}; chunks of ${minChunkSize} to ${maxChunkSize} bytes are taken`,
    )
  }
  return Object.freeze(resolved)
}

/** The limits with a floor of the application's own. */
function raised(limits: GridLimits, floor: number): GridLimits {
  if (floor <= limits.maxChunkSize) return { ...limits, minChunkSize: Math.max(limits.minChunkSize, floor) }
  throw new TypeError(
    `holdfast: the option \`minChunkSize\` is ${floor}; this storage takes chunks of at most ${limits.maxChunkSize} bytes`,
  )
}

/** A chunk that is held whole cannot be larger than the room there is for one; and one alone must not take all the files. */
function heldLimits(limits: GridLimits, memoryBudget: number, spoolBudget: number): GridLimits {
  const inFile = Math.min(spoolBudget, Math.max(limits.minChunkSize, Math.floor(spoolBudget / 8)))
  const largest = Math.max(heldMemory(memoryBudget), inFile)
  if (largest >= limits.minChunkSize) return { ...limits, maxChunkSize: Math.min(limits.maxChunkSize, largest) }
  throw new TypeError(
    `holdfast: neither \`memoryBudget\` nor \`spoolBudget\` has room for a chunk: this storage holds ${limits.minChunkSize} bytes at the least`,
  )
}

/** Bytes of the memory budget for what is held before it is stored; the rest is for what is on its way there. */
export function heldMemory(memoryBudget: number): number {
  return Math.floor((memoryBudget * 3) / 4)
}

/** The most of it that is lent for what is held where a storage takes bodies as they come. */
export function lentMemory(memoryBudget: number): number {
  return Math.floor(memoryBudget / 4)
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new TypeError(`holdfast: the option \`${name}\` must be a positive whole number, not ${String(value)}`)
}

function size(name: string, value: number | string): number {
  if (typeof value !== 'string') return positive(name, value)
  const bytes = parseSize(value)
  if (bytes !== null) return bytes
  throw new TypeError(
    `holdfast: the option \`${name}\` must be a size such as 5MiB, 50GiB or 1000, not ${JSON.stringify(value)}`,
  )
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  throw new TypeError(`holdfast: the option \`${name}\` must be ${allowed.join(' or ')}, not ${JSON.stringify(value)}`)
}

function flag(name: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw new TypeError(`holdfast: the option \`${name}\` must be true or false, not ${String(value)}`)
}

function types(name: string, value: readonly string[]): readonly string[] {
  const patterns = Array.isArray(value)
    ? value.map((text) => (typeof text === 'string' ? parseTypePattern(text) : null))
    : []
  const right = patterns.filter((pattern) => pattern !== null)
  if (right.length > 0 && right.length === patterns.length) return right
  throw new TypeError(
    `holdfast: the option \`${name}\` must be a list of types such as image/png or image/*, not ${JSON.stringify(value)}`,
  )
}

function text(name: string, value: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new TypeError(`holdfast: the option \`${name}\` must be a text, not ${JSON.stringify(value)}`)
}

/** An address, without the slashes at its end. */
function httpUrl(name: string, value: string): string {
  const url = URL.canParse(value) ? new URL(value) : null
  if (url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === '') {
    return value.replace(/\/+$/, '')
  }
  throw new TypeError(
    `holdfast: the option \`${name}\` must be an http or https address without a query, not ${JSON.stringify(value)}`,
  )
}

function timer(name: string, ms: number): number {
  if (positive(name, ms) <= MAX_TIMER_MS) return ms
  throw new TypeError(`holdfast: the option \`${name}\` must be at most ${MAX_TIMER_MS} ms, not ${ms}`)
}

function func<T, D>(name: string, value: T | undefined, otherwise: D): T | D {
  if (value === undefined) return otherwise
  if (typeof value === 'function') return value
  throw new TypeError(`holdfast: the option \`${name}\` must be a function, not ${String(value)}`)
}

function object<T>(name: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value
  throw new TypeError(`holdfast: the option \`${name}\` must be an object, not ${String(value)}`)
}

/** Whoever reports a failure must not fail by it. */
function harmless(onError: (error: unknown, where: string) => unknown): (error: unknown, where: string) => void {
  return (error, where) => {
    void (async () => onError(error, where))().catch(() => {})
  }
}
