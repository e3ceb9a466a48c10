import { removeFolder } from '../../support/services/mortal-process.ts'
import { compare, type Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { paragraphs } from '../report.ts'
import { holdfast } from '../subjects/holdfast.ts'
import { nginxPut } from '../subjects/nginx.ts'
import { nodeServer } from '../subjects/node-server.ts'
import { tusd } from '../subjects/tusd.ts'
import { type Column, type Goal, goalTable, resultTable } from '../tables.ts'

const SIZE = 50 * 1024
const COLUMNS: readonly Column[] = [
  { figure: 'countPerSecond', title: 'files/s', digits: 0 },
  { figure: 'cpuMsPerCount', title: 'CPU ms/file', digits: 2 },
  { figure: 'peakMib', title: 'peak MiB', digits: 0 },
  { figure: 'p50', title: 'p50 ms', digits: 1 },
  { figure: 'p99', title: 'p99 ms', digits: 1 },
  { figure: 'clientPercent', title: 'client, % of a core', digits: 0 },
]
const FSYNCS = ['off', 'complete', 'chunk'] as const
const OURS = 'Holdfast, tus, FSYNC=off'
const TUSD = 'tusd'
const STOCK = '@tus/server'

/** Files of 50 KiB over 4 connections. */
export async function small({ settings, tusd: program, nginx }: Context): Promise<string> {
  const { files: count, rounds } = settings
  const task = { workload: 'small-tus', bytes: count * SIZE, chunk: SIZE, count, connections: 4 } as const
  const left: string[] = []
  const contenders: Contender[] = [
    ...FSYNCS.map((FSYNC) => ({ name: `Holdfast, tus, FSYNC=${FSYNC}`, subject: holdfast({ FSYNC }), task })),
    ...FSYNCS.map((FSYNC) => ({
      name: `Holdfast, JSON, FSYNC=${FSYNC}`,
      subject: holdfast({ FSYNC }),
      task: { ...task, workload: 'small-json' as const },
    })),
    { name: STOCK, subject: nodeServer('stock-server'), task },
    ...(program === undefined ? [] : [{ name: TUSD, subject: tusd(program), task }]),
    ...(nginx === undefined
      ? []
      : [{ name: 'nginx, PUT', subject: nginxPut(nginx), task: { ...task, workload: 'small-put' as const } }]),
  ]
  const onGround = contenders.map((contender) => ({ ...contender, ground: { left } }))
  const results = await compare(onGround, { rounds, told: 'countPerSecond' })
  for (const folder of left) await removeFolder(folder)
  return paragraphs(
    `${count} files of 50 KiB over 4 connections, none of them deleted before all runs were over; tus: one request each (creation with upload), JSON: three (initiate, chunk, complete).`,
    resultTable(results, COLUMNS),
    goalTable(results, goals),
  )
}

const goals: readonly Goal[] = [
  { text: 'files/s, against @tus/server', ours: OURS, theirs: STOCK, figure: 'countPerSecond', least: 2 },
  { text: 'files/s, against tusd', ours: OURS, theirs: TUSD, figure: 'countPerSecond', least: 1 },
]
