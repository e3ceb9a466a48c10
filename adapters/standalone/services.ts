import type { FastifyBaseLogger } from 'fastify'
import type { Storage, UploadsOptions } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import type { Configuration } from './configuration.ts'

/** What the server keeps bytes and state in. */
export interface Services {
  readonly storage: Storage
  /** Null: in memory. */
  readonly state: NonNullable<UploadsOptions['state']> | null
  /** Ends the connections that storage and state were lent. After they were closed. */
  close(): Promise<void>
}

/**
 * Makes storage and state as they are configured. What is not used is not loaded.
 * @throws Error in one line, for the operator
 */
export async function createServices(configuration: Configuration, log: FastifyBaseLogger): Promise<Services> {
  const s3 = configuration.STORAGE === 's3' ? await (await import('./s3.ts')).createS3(configuration, log) : null
  const { REDIS_URL, DATA_DIR, FSYNC, MAX_CHUNKS } = configuration
  const redis =
    REDIS_URL === null ? null : await (await import('./redis.ts')).createRedis(REDIS_URL, configuration, log)
  return {
    storage: s3?.storage ?? new FileStorage({ directory: DATA_DIR, fsync: FSYNC, maxChunks: MAX_CHUNKS }),
    state: redis?.state ?? null,
    close: async () => {
      s3?.close()
      await redis?.close()
    },
  }
}
