import type { FastifyBaseLogger } from 'fastify'
import { MemoryState, type Storage, type UploadsOptions } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import type { Configuration } from './configuration.ts'
import type { Metrics } from './metrics/metrics.ts'
import { observeState } from './metrics/observe-state.ts'
import { observeStorage } from './metrics/observe-storage.ts'

/** What the server keeps bytes and state in. */
export interface Services {
  readonly storage: Storage
  readonly state: NonNullable<UploadsOptions['state']>
  /** Ends the connections that storage and state were lent. After they were closed. */
  close(): Promise<void>
}

/** In what storage is another than a server's. */
interface ServiceOptions {
  /** How long a process that has `DATA_DIR` is waited for, ms. @default as long as one that is about to end may take */
  readonly ownerWaitMs?: number
}

/**
 * Makes storage and state as they are configured, and measures them. What is not used is not loaded.
 * @throws Error in one line, for the operator
 */
export async function createServices(
  configuration: Configuration,
  log: FastifyBaseLogger,
  metrics: Metrics,
  options: ServiceOptions = {},
): Promise<Services> {
  const s3 =
    configuration.STORAGE === 's3' ? await (await import('./s3.ts')).createS3(configuration, log, metrics) : null
  const { REDIS_URL, DATA_DIR, FSYNC, MAX_CHUNKS } = configuration
  const redis =
    REDIS_URL === null ? null : await (await import('./redis.ts')).createRedis(REDIS_URL, configuration, log, metrics)
  const storage =
    s3?.storage ?? new FileStorage({ directory: DATA_DIR, fsync: FSYNC, maxChunks: MAX_CHUNKS, ...options })
  return {
    storage: observeStorage(storage, metrics),
    state: observeState(redis?.state ?? new MemoryState(), metrics),
    close: async () => {
      s3?.close()
      await redis?.close()
    },
  }
}
