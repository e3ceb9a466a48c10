import { anyoneMay, type Authorize } from './access.ts'
import { MIB } from './grid.ts'
import { MemoryState } from './state/memory.ts'
import type { State } from './state/state.ts'
import type { Storage } from './storage/storage.ts'

/** What an application chooses. Only `storage` has no default. */
export interface UploadsOptions {
  /** Where bytes and their records are kept. It belongs to the uploads from here on: `close()` closes it. */
  readonly storage: Storage
  /** Ledgers as requests read them, and locks. @default new MemoryState(): this process alone */
  readonly state?: State
  /** Decides who may do what. What is denied on an upload that exists looks like one that does not. @default anyone may */
  readonly authorize?: Authorize
  /** Bytes of a chunk where the client asks for none. @default 5 MiB */
  readonly chunkSize?: number
  /** Largest file, bytes. @default none */
  readonly maxFileSize?: number
  /** An upload expires this long after its last byte or resume, ms. @default 24 h */
  readonly expiresAfterMs?: number
  /** An unfinished upload expires this long after its creation in any case, ms. @default 7 days */
  readonly maxLifetimeMs?: number
  /** How long an ended upload answers 410 before it answers 404, ms. @default 24 h */
  readonly tombstoneMs?: number
  /** How long a request waits for a lock before 423, ms. @default 10 s */
  readonly lockWaitMs?: number
  /** A body that brings no byte for so long is ended, ms; what it brought is kept. @default 60 s */
  readonly idleTimeoutMs?: number
  /** How often everything is swept, ms. @default 1 h */
  readonly sweepIntervalMs?: number
  /** Told of what went wrong where no client waits for an answer. @default does nothing */
  readonly onError?: (error: unknown, where: string) => void
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

/** The options, complete. What is inside sees only these. */
export type ResolvedOptions = Required<Omit<UploadsOptions, 'maxFileSize'>> & {
  readonly maxFileSize: number | null
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
  const resolved: ResolvedOptions = {
    storage,
    state: options.state === undefined ? new MemoryState() : object('state', options.state),
    authorize: func('authorize', options.authorize, anyoneMay),
    chunkSize: positive('chunkSize', options.chunkSize ?? Math.max(5 * MIB, storage.limits.minChunkSize)),
    maxFileSize: options.maxFileSize === undefined ? null : positive('maxFileSize', options.maxFileSize),
    expiresAfterMs: positive('expiresAfterMs', options.expiresAfterMs ?? 24 * HOUR),
    maxLifetimeMs: positive('maxLifetimeMs', options.maxLifetimeMs ?? 7 * 24 * HOUR),
    tombstoneMs: positive('tombstoneMs', options.tombstoneMs ?? 24 * HOUR),
    lockWaitMs: timer('lockWaitMs', options.lockWaitMs ?? 10_000),
    idleTimeoutMs: timer('idleTimeoutMs', options.idleTimeoutMs ?? 60_000),
    sweepIntervalMs: timer('sweepIntervalMs', options.sweepIntervalMs ?? HOUR),
    onError: func('onError', options.onError, () => {}),
    now: func('now', options.now, Date.now),
  }
  const { minChunkSize, maxChunkSize } = storage.limits
  if (resolved.chunkSize < minChunkSize || resolved.chunkSize > maxChunkSize) {
    throw new TypeError(
      `holdfast: the option \`chunkSize\` is ${resolved.chunkSize}; this storage takes ${minChunkSize} to ${maxChunkSize} bytes`,
    )
  }
  return Object.freeze(resolved)
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new TypeError(`holdfast: the option \`${name}\` must be a positive whole number, not ${String(value)}`)
}

function timer(name: string, ms: number): number {
  if (positive(name, ms) <= MAX_TIMER_MS) return ms
  throw new TypeError(`holdfast: the option \`${name}\` must be at most ${MAX_TIMER_MS} ms, not ${ms}`)
}

function func<T>(name: string, value: T | undefined, otherwise: T): T {
  if (value === undefined) return otherwise
  if (typeof value === 'function') return value
  throw new TypeError(`holdfast: the option \`${name}\` must be a function, not ${String(value)}`)
}

function object<T>(name: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value
  throw new TypeError(`holdfast: the option \`${name}\` must be an object, not ${String(value)}`)
}
