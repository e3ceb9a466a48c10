import { startCeph } from '../../support/services/ceph-server.ts'
import { compare, type Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { paragraphs } from '../report.ts'
import type { Ground } from '../run.ts'
import { startStore } from '../store.ts'
import { holdfast } from '../subjects/holdfast.ts'
import { nodeServer } from '../subjects/node-server.ts'
import { tusd } from '../subjects/tusd.ts'
import { type Column, type Goal, goalTable, resultTable } from '../tables.ts'
import { THROUGHPUT } from './disk.ts'

const MIB = 1024 ** 2
const STORE: Column = { figure: 'storeCpuPerGib', title: 'store CPU s/GiB', digits: 2 }
const COLUMNS = [...THROUGHPUT.filter(({ figure }) => figure !== 'p50' && figure !== 'p99'), STORE]
const OURS = 'Holdfast, one PATCH'
const STOCK = '@tus/server with @tus/s3-store, one PATCH'
const DIRECT = '@aws-sdk/lib-storage, from memory'

/** One large file to S3, in parts of 5 and 16 MiB, from near and from far. */
export async function s3({ settings, tusd: program, ceph }: Context): Promise<string> {
  if (ceph === undefined) return 'There was no S3 here.'
  const texts: string[] = []
  for (const partMib of [5, 16]) {
    for (const latencyMs of [0, 30]) {
      const store = await startStore(startCeph(ceph), latencyMs)
      try {
        const results = await compare(s3Contenders(store.ground, partMib * MIB, settings.s3Bytes, program), {
          rounds: settings.rounds,
        })
        const title = `### Parts of ${partMib} MiB, ${latencyMs} ms of latency`
        texts.push(title, resultTable(results, COLUMNS), goalTable(results, goals))
      } finally {
        await store.stop()
      }
    }
  }
  return paragraphs(...texts)
}

/** Who sends to S3, each to a bucket of its own. */
export function s3Contenders(
  ground: Ground,
  partSize: number,
  bytes: number,
  program: string | undefined,
): readonly Contender[] {
  const ours = holdfast({ CHUNK_SIZE: String(partSize), FILE_CHECKSUM: 'composite' })
  const one = { workload: 'patch', bytes, chunk: partSize } as const
  const four = { workload: 'chunks', bytes, chunk: partSize, connections: 4 } as const
  const own = { workload: 'self-upload', bytes } as const
  const stock = nodeServer('stock-s3-server', String(partSize))
  return [
    { name: OURS, subject: ours, task: one, ground },
    { name: 'Holdfast, JSON chunks over 4 connections', subject: ours, task: four, ground },
    { name: STOCK, subject: stock, task: one, ground },
    ...(program === undefined
      ? []
      : [{ name: 'tusd, one PATCH', subject: tusd(program, { partSize }), task: one, ground }]),
    { name: DIRECT, subject: nodeServer('lib-storage-server', String(partSize)), task: own, ground },
  ]
}

const goals: readonly Goal[] = [
  { text: 'throughput, against @tus/s3-store', ours: OURS, theirs: STOCK, figure: 'mibPerSecond', least: 2.4 },
  { text: 'throughput, against lib-storage', ours: OURS, theirs: DIRECT, figure: 'mibPerSecond', least: 0.95 },
]
