import { startCeph, type CephServer } from './services/ceph-server.ts'
import { findCeph } from './services/ceph-program.ts'
import { whereabouts } from './services/whereabouts.ts'

/** Bytes of the least part that is no last one: an upload of many parts is small then, and lived through quickly. */
export const LEAST_PART = 1024

/** What may be set for a Ceph of one's own. */
export interface CephOptions {
  /** Bytes of the longest request that is read whole, as a list of parts is. @default 1 MiB, as Ceph's own */
  readonly longestRequest?: number
}

/**
 * Starts a Ceph that takes parts of {@link LEAST_PART} bytes, which the run's own refuses as S3 does. Its programs take
 * options from a variable, too.
 *
 * @throws ServiceMissing where there is none
 */
export async function startCephOfSmallParts({ longestRequest }: CephOptions = {}): Promise<CephServer> {
  const root = await findCeph(whereabouts())
  const before = process.env['CEPH_ARGS']
  const options = [`--rgw-multipart-min-part-size=${LEAST_PART}`]
  if (longestRequest !== undefined) options.push(`--rgw-max-put-param-size=${longestRequest}`)
  process.env['CEPH_ARGS'] = [before ?? '', ...options].join(' ')
  try {
    return await startCeph(root)
  } finally {
    if (before === undefined) delete process.env['CEPH_ARGS']
    else process.env['CEPH_ARGS'] = before
  }
}
