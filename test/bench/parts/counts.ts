import { Redis } from 'ioredis'
import type { S3Request } from '../../support/s3-proxy-request.ts'
import { S3Proxy } from '../../support/s3-proxy.ts'
import { startCeph } from '../../support/services/ceph-server.ts'
import { startRedisServer } from '../../support/services/redis-server.ts'
import type { Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { paragraphs, table } from '../report.ts'
import { type Ground, run } from '../run.ts'
import { newBucket, startStore } from '../store.ts'
import { holdfast } from '../subjects/holdfast.ts'
import { s3Contenders } from './s3.ts'

const PART = 5 * 1024 ** 2

/** What one upload asks S3 and Redis for: counted, not timed. */
export async function counts({ settings, tusd, ceph, redis: command }: Context): Promise<string> {
  if (ceph === undefined || command === undefined) return 'There was no S3 or no Redis here.'
  const [store, redis] = [await startStore(startCeph(ceph)), await startRedisServer(command)]
  const proxy = await S3Proxy.start(store.service.endpoint)
  const client = new Redis(redis.url)
  const monitor = await client.monitor()
  try {
    let [s3Requests, redisCommands]: [S3Request[], number] = [[], 0]
    proxy.plan = (request) => {
      s3Requests.push(request)
      return null
    }
    // What a script does inside of Redis is no round trip.
    monitor.on('monitor', (_time: string, _command: unknown, source: string) => {
      if (source !== 'lua') redisCommands += 1
    })
    const ground: Ground = {
      s3: async () => ({ ...store.service, endpoint: proxy.url, bucket: await newBucket(store.service) }),
      counter: {
        begin: () => {
          s3Requests = []
          redisCommands = 0
        },
        end: () => ({ s3: s3Requests.length, redis: redisCommands }),
      },
    }
    const parts = Math.ceil(settings.s3Bytes / PART)
    const rows: string[][] = []
    for (const { name, subject, task } of contenders(settings.s3Bytes, tusd, redis.url)) {
      const { s3 = 0, redis: commands = 0 } = await run(subject, task, ground)
      process.stderr.write(`  ${name}: ${s3} requests, ${commands} commands\n`)
      const hasRedis = name.startsWith('Holdfast')
      const perChunk = hasRedis ? (commands / parts).toFixed(2) : '–'
      rows.push([
        name,
        String(s3),
        (s3 / parts).toFixed(2),
        kinds(s3Requests),
        hasRedis ? String(commands) : '–',
        perChunk,
      ])
    }
    return paragraphs(
      `One file of ${parts} parts of 5 MiB; Holdfast with Redis. Wanted: at most 1.1 S3 requests per part.`,
      table(['', 'S3 requests', 'per part', 'which', 'Redis commands', 'per chunk'], rows),
    )
  } finally {
    monitor.disconnect()
    client.disconnect()
    await proxy.stop()
    await redis.stop()
    await store.stop()
  }
}

function contenders(bytes: number, program: string | undefined, redisUrl: string): readonly Contender[] {
  const ours = holdfast({ FILE_CHECKSUM: 'composite', REDIS_URL: redisUrl })
  return s3Contenders({}, PART, bytes, program).map((one) =>
    one.name.startsWith('Holdfast') ? { ...one, subject: ours } : one,
  )
}

/** `PutObject 3, UploadPart 52` */
function kinds(requests: readonly S3Request[]): string {
  const counted = new Map<string, number>()
  for (const { name } of requests) counted.set(name, (counted.get(name) ?? 0) + 1)
  return [...counted]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
