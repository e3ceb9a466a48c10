import { windowsOf } from '../client/flat.ts'
import { startRedisServer } from '../../support/services/redis-server.ts'
import { compare, type Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { paragraphs, spreadText, table } from '../report.ts'
import type { Task } from '../run.ts'
import { ratiosOf } from '../statistics.ts'
import { holdfast } from '../subjects/holdfast.ts'
import { nodeServer } from '../subjects/node-server.ts'
import { tusd } from '../subjects/tusd.ts'
import type { Results } from '../tables.ts'

const CHUNK = 64 * 1024

/** What a chunk costs early in an upload of many, and late. */
export async function flat({ settings, tusd: program, redis: command }: Context): Promise<string> {
  const { chunks: count } = settings
  const redis = command === undefined ? null : await startRedisServer(command)
  try {
    const task = (workload: Task['workload']): Task => ({ workload, bytes: count * CHUNK, chunk: CHUNK, count })
    const disk = { FSYNC: 'off', CHUNK_SIZE: String(CHUNK) }
    const [near, far] = [holdfast(disk), holdfast({ ...disk, REDIS_URL: redis?.url ?? '' })]
    const contenders: Contender[] = [
      { name: 'Holdfast, JSON chunks', subject: near, task: task('flat-json') },
      { name: 'Holdfast, PATCHes', subject: near, task: task('flat-tus') },
      ...(redis === null
        ? []
        : [
            { name: 'Holdfast with Redis, JSON chunks', subject: far, task: task('flat-json') },
            { name: 'Holdfast with Redis, PATCHes', subject: far, task: task('flat-tus') },
          ]),
      { name: '@tus/server, PATCHes', subject: nodeServer('stock-server'), task: task('flat-tus') },
      ...(program === undefined ? [] : [{ name: 'tusd, PATCHes', subject: tusd(program), task: task('flat-tus') }]),
    ]
    const rounds = Math.min(settings.rounds, 2)
    const results = await compare(contenders, rounds, 'countPerSecond')
    return paragraphs(
      `One upload of ${count} chunks of 64 KiB on disk, one after the other over one connection (FSYNC=off); ${rounds} of the rounds.`,
      windowsTable(results, count, 'p50', 'p50 ms', 2),
      windowsTable(results, count, 'cpu', 'server CPU ms', 2),
    )
  } finally {
    await redis?.stop()
  }
}

function windowsTable(results: Results, count: number, figure: string, title: string, digits: number): string {
  const last = windowsOf(count).length - 1
  const rows = [...results].map(([name, runs]) => {
    const values = (window: number): readonly number[] => runs.map((one) => one[`${figure}-${window}`] ?? Number.NaN)
    const cells = windowsOf(count).map((_, window) => spreadText(values(window), digits))
    return [name, ...cells, spreadText(ratiosOf(values(last), values(0)), 2)]
  })
  const heads = windowsOf(count).map(({ from, to }) => `chunks ${from + 1}–${to}`)
  return table([title, ...heads, 'last to first'], rows)
}
