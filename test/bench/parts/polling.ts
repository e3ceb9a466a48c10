import { compare, type Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { paragraphs } from '../report.ts'
import type { Task } from '../run.ts'
import { holdfast } from '../subjects/holdfast.ts'
import { nodeServer } from '../subjects/node-server.ts'
import { tusd } from '../subjects/tusd.ts'
import { type Column, resultTable } from '../tables.ts'

const DURING: readonly Column[] = [
  { figure: 'mibPerSecond', title: 'upload MiB/s', digits: 0 },
  { figure: 'cpuPerGib', title: 'CPU s/GiB', digits: 2 },
  { figure: 'polls', title: 'answers', digits: 0 },
  { figure: 'p50', title: 'p50 ms', digits: 1 },
  { figure: 'p99', title: 'p99 ms', digits: 1 },
]
const OF_LIVE: readonly Column[] = [
  { figure: 'p50', title: 'p50 ms', digits: 0 },
  { figure: 'p99', title: 'longest ms', digits: 0 },
  { figure: 'lostKib', title: 'sent in vain, KiB', digits: 0 },
]
const TIMES = 3

/** Who asks while an upload is under way. */
export async function polling({ settings, tusd: program }: Context): Promise<string> {
  const { bytes, rounds } = settings
  const ours = { name: 'Holdfast, FSYNC=off', subject: holdfast({ FSYNC: 'off' }) }
  const peers = [
    { name: '@tus/server', subject: nodeServer('stock-server') },
    ...(program === undefined ? [] : [{ name: 'tusd', subject: tusd(program) }]),
  ]
  const asks = (
    who: readonly Pick<Contender, 'name' | 'subject'>[],
    how: string,
    workload: Task['workload'],
  ): Contender[] => who.map(({ name, subject }) => ({ name: `${name}, ${how}`, subject, task: { workload, bytes } }))
  const during = await compare(
    [
      ...asks([ours, ...peers], 'nobody asks', 'poll-nothing'),
      ...asks([ours, ...peers], 'HEAD', 'poll-head'),
      ...asks([ours], 'progress', 'poll-progress'),
    ],
    { rounds },
  )
  const task = { workload: 'head-of-live', bytes: 64 * 1024 ** 2, count: TIMES } as const
  const ofLive = await compare(
    [ours, ...peers].map(({ name, subject }) => ({ name, subject, task })),
    { rounds: Math.min(rounds, 2), warmsUp: false, told: 'p50' },
  )
  return paragraphs(
    'One PATCH, while somebody else asks 10 ms after every answer: for the progress of this upload, or by HEAD where another one stands.',
    resultTable(during, DURING),
    'HEAD of the very upload that a PATCH has been sending for 200 ms, on a connection that the client believes dead (2 rounds at the most): until it is told an offset from which it can go on.',
    resultTable(ofLive, OF_LIVE),
  )
}
