/**
 * `npm run services`: a Redis and an S3 for a server on this machine, until Ctrl-C. Prints the variables that point the
 * server at them. With `-- --fetch` it only puts them into the cache, as CI does before the tests.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { findCeph } from './ceph-program.ts'
import { startCeph } from './ceph-server.ts'
import { endAll } from './mortal-process.ts'
import { findNginx } from './nginx-program.ts'
import { findRedis } from './redis-program.ts'
import { startRedisServer } from './redis-server.ts'
import { namedRedis } from './redis-service.ts'
import { namedS3 } from './s3-service.ts'
import { whereabouts } from './whereabouts.ts'

const BUCKET = 'holdfast'
/** So that a server that is left running finds them again. */
const REDIS_PORT = 6390
const S3_PORT = 7490

async function fetchOnly(): Promise<void> {
  const where = whereabouts()
  if (namedRedis(where.env) === null) await findRedis(where)
  if (namedS3(where.env) === null) await findCeph(where)
  await findNginx(where)
}

async function serve(stopped: AbortSignal): Promise<void> {
  const where = whereabouts()
  const [redis, ceph] = await Promise.all([
    findRedis(where).then((command) => startRedisServer(command, { preferredPort: REDIS_PORT })),
    findCeph(where).then((root) => startCeph(root, S3_PORT)),
  ])
  const { endpoint, region, credentials } = ceph.service
  const client = new S3Client(ceph.service)
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  client.destroy()

  const variables = {
    REDIS_URL: redis.url,
    STORAGE: 's3',
    S3_BUCKET: BUCKET,
    S3_ENDPOINT: endpoint,
    S3_FORCE_PATH_STYLE: 'true',
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
  for (const [name, value] of Object.entries(variables)) console.log(`export ${name}=${value}`)
  console.error('\nBoth keep everything in memory. Ctrl-C ends them.')
  while (!stopped.aborted) {
    if (!redis.running() || !ceph.running()) throw new Error(`${redis.running() ? 'S3' : 'Redis'} has ended by itself`)
    await delay(500, null, { signal: stopped }).catch(() => null)
  }
}

const stop = new AbortController()
// More than once: npm passes on what its whole group has had already.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
try {
  // A signal that comes while they start does not wait until they have.
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()))
  await Promise.race([process.argv.includes('--fetch') ? fetchOnly() : serve(stop.signal), stopped])
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await endAll()
  // Where something was still to start.
  process.exit()
}
