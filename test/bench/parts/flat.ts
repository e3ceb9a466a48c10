import { startCephOfSmallParts } from '../../support/s3-proxy-ceph.ts'
import { startRedisServer } from '../../support/services/redis-server.ts'
import { windowsOf } from '../client/flat.ts'
import { compare, type Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { paragraphs, spreadText, table } from '../report.ts'
import type { Ground, Task } from '../run.ts'
import { ratiosOf } from '../statistics.ts'
import { startStore } from '../store.ts'
import type { Subject } from '../subject.ts'
import { holdfast } from '../subjects/holdfast.ts'
import { nodeServer } from '../subjects/node-server.ts'
import { tusd as tusdOf } from '../subjects/tusd.ts'
import type { Results } from '../tables.ts'

const CHUNK = 64 * 1024
const DISK = { FSYNC: 'off', CHUNK_SIZE: String(CHUNK) }

/** What a chunk costs early in an upload of many, and late. */
export async function flat({ settings, tusd, ceph, redis: command }: Context): Promise<string> {
  const { chunks: count } = settings
  const redis = command === undefined ? null : await startRedisServer(command)
  // Parts of the size that S3 wants would be 50 GiB.
  const store = ceph === undefined ? null : await startStore(startCephOfSmallParts())
  try {
    const rounds = Math.min(settings.rounds, 2)
    const contenders = [
      ...holdfasts(count, '', holdfast(DISK)),
      ...(redis === null ? [] : holdfasts(count, ' with Redis', holdfast({ ...DISK, REDIS_URL: redis.url }))),
      ...(redis === null || store === null
        ? []
        : holdfasts(
            count,
            ' with Redis on S3',
            nodeServer('small-parts-server', String(CHUNK), redis.url),
            store.ground,
          )),
      { name: '@tus/server, PATCHes', subject: nodeServer('stock-server'), task: taskOf(count, 'flat-tus') },
      ...(tusd === undefined
        ? []
        : [{ name: 'tusd, PATCHes', subject: tusdOf(tusd), task: taskOf(count, 'flat-tus') }]),
    ]
    const results = await compare(contenders, { rounds, warmsUp: false, told: 'countPerSecond' })
    return paragraphs(
      `One upload of ${count} chunks of 64 KiB, one after the other over one connection; on disk with FSYNC=off; rounds: ${rounds}. The first of them are dearer where a program is compiled as it runs, as in Node.`,
      windowsTable(results, count, 'p50', 'p50 ms', 2),
      windowsTable(results, count, 'cpu', 'server CPU ms', 2),
    )
  } finally {
    await store?.stop()
    await redis?.stop()
  }
}

function holdfasts(count: number, where: string, subject: Subject, ground: Ground = {}): readonly Contender[] {
  return [
    { name: `Holdfast${where}, JSON chunks`, subject, task: taskOf(count, 'flat-json'), ground },
    { name: `Holdfast${where}, PATCHes`, subject, task: taskOf(count, 'flat-tus'), ground },
  ]
}

function taskOf(count: number, workload: Task['workload']): Task {
  return { workload, bytes: count * CHUNK, chunk: CHUNK, count }
}

function windowsTable(results: Results, count: number, figure: string, title: string, digits: number): string {
  const last = windowsOf(count).length - 1
  const rows = [...results].map(([name, runs]) => {
    const values = (window: number): readonly number[] => runs.map((one) => one[`${figure}-${window}`] ?? Number.NaN)
    const cells = windowsOf(count).map((_, window) => spreadText(values(window), digits))
    const ratios = [0, 1].map((window) => spreadText(ratiosOf(values(last), values(window)), 2))
    return [name, ...cells, ...ratios]
  })
  const heads = windowsOf(count).map(({ from, to }) => `chunks ${from + 1}–${to}`)
  return table([title, ...heads, 'last to first', 'last to second'], rows)
}
