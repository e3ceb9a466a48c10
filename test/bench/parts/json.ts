import { createHash, randomBytes } from 'node:crypto'
import { compare, type Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { paragraphs } from '../report.ts'
import { holdfast } from '../subjects/holdfast.ts'
import { nodeServer } from '../subjects/node-server.ts'
import { tusd } from '../subjects/tusd.ts'
import { type Goal, goalTable, resultTable } from '../tables.ts'
import { THROUGHPUT } from './disk.ts'

const GIB = 1024 ** 3
const PIECE = 64 * 1024
const OURS = 'Holdfast, FSYNC=off, FILE_CHECKSUM=composite'
const TUSD = 'tusd, PATCHes without a checksum'
const STOCK = '@tus/server, PATCHes without a checksum'

/** JSON chunks of 5 MiB with their SHA-256, of one upload, over 1, 4 and 16 connections. */
export async function json({ settings, tusd: program }: Context): Promise<string> {
  const { bytes, rounds } = settings
  const texts = [`SHA-256 alone takes ${hashCost().toFixed(2)} CPU s/GiB here.`]
  for (const connections of [1, 4, 16]) {
    const task = { workload: 'chunks', bytes, connections } as const
    const peers = { ...task, workload: 'patches' } as const
    const contenders: Contender[] = [
      { name: OURS, subject: holdfast({ FSYNC: 'off', FILE_CHECKSUM: 'composite' }), task },
      { name: 'Holdfast, FSYNC=off', subject: holdfast({ FSYNC: 'off' }), task },
      { name: 'Holdfast, as it is (FSYNC=complete)', subject: holdfast(), task },
      { name: 'Holdfast, FSYNC=chunk', subject: holdfast({ FSYNC: 'chunk' }), task },
      { name: STOCK, subject: nodeServer('stock-server'), task: peers },
      ...(program === undefined ? [] : [{ name: TUSD, subject: tusd(program), task: peers }]),
    ]
    const results = await compare(contenders, { rounds })
    const title = connections === 1 ? '1 connection' : `${connections} connections`
    texts.push(`### Over ${title}`, resultTable(results, THROUGHPUT), goalTable(results, goals))
  }
  return paragraphs(...texts)
}

const goals: readonly Goal[] = [
  { text: 'throughput, against tusd', ours: OURS, theirs: TUSD, figure: 'mibPerSecond', least: 0.9 },
]

/** CPU seconds that SHA-256 alone takes for a GiB here. */
function hashCost(): number {
  const buffers = Array.from({ length: 64 }, () => randomBytes(PIECE))
  const hash = createHash('sha256')
  const before = process.cpuUsage()
  for (let n = 0; n < GIB / PIECE; n += 1) hash.update(buffers[n % buffers.length] ?? '')
  hash.digest()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
