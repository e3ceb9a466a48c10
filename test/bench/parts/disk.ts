import { compare, type Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { paragraphs } from '../report.ts'
import { holdfast } from '../subjects/holdfast.ts'
import { nginxPut } from '../subjects/nginx.ts'
import { nodeServer } from '../subjects/node-server.ts'
import { tusd } from '../subjects/tusd.ts'
import { type Column, type Goal, goalTable, resultTable } from '../tables.ts'

export const THROUGHPUT: readonly Column[] = [
  { figure: 'mibPerSecond', title: 'MiB/s', digits: 0 },
  { figure: 'cpuPerGib', title: 'CPU s/GiB', digits: 2 },
  { figure: 'peakMib', title: 'peak MiB', digits: 0 },
  { figure: 'p50', title: 'p50 ms', digits: 1 },
  { figure: 'p99', title: 'p99 ms', digits: 1 },
  { figure: 'clientPercent', title: 'client, % of a core', digits: 0 },
]

const OURS = 'Holdfast, FSYNC=off'
const TUSD = 'tusd'
const STOCK = '@tus/server'

/** One large file, and PATCHes of 5 MiB, to disk. */
export async function disk({ settings, tusd: program, nginx }: Context): Promise<string> {
  const { bytes, rounds } = settings
  const tasks = [
    { title: 'One PATCH', connections: 1, tus: 'patch', dav: 'put' },
    { title: 'PATCHes of 5 MiB over 4 connections, an upload each', connections: 4, tus: 'patches', dav: 'puts' },
  ] as const
  const texts: string[] = []
  for (const { title, connections, tus, dav } of tasks) {
    const task = { workload: tus, bytes, connections }
    const contenders: Contender[] = [
      { name: OURS, subject: holdfast({ FSYNC: 'off' }), task },
      { name: 'Holdfast, as it is (FSYNC=complete)', subject: holdfast(), task },
      { name: STOCK, subject: nodeServer('stock-server'), task },
      ...(program === undefined ? [] : [{ name: TUSD, subject: tusd(program), task }]),
      ...(nginx === undefined
        ? []
        : [{ name: 'nginx, PUT', subject: nginxPut(nginx), task: { ...task, workload: dav } }]),
      { name: 'Node, throwing bytes away', subject: nodeServer('discard-server'), task },
    ]
    const results = await compare(contenders, { rounds })
    texts.push(`### ${title}`, resultTable(results, THROUGHPUT), goalTable(results, goals))
  }
  return paragraphs(...texts)
}

const goals: readonly Goal[] = [
  { text: 'throughput, against tusd', ours: OURS, theirs: TUSD, figure: 'mibPerSecond', least: 1 },
  { text: 'CPU per GiB, against tusd', ours: OURS, theirs: TUSD, figure: 'cpuPerGib', most: 1 },
  { text: 'throughput, against @tus/server', ours: OURS, theirs: STOCK, figure: 'mibPerSecond', least: 2.5 },
]
