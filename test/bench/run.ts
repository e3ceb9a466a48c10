import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { mortalFolder, removeFolder } from '../support/services/mortal-process.ts'
import type { Job, Outcome } from './client/job.ts'
import { cpuSecondsOf, peakMibOf, settledCpuSecondsOf } from './process-usage.ts'
import { percentile } from './statistics.ts'
import type { Place, Subject } from './subject.ts'
import { warmMemory } from './warm-memory.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
/** No run takes so long, ms: a server that answers nothing is not waited for. */
const PATIENCE_MS = 15 * 60_000
const CLIENT = fileURLToPath(new URL('client/main.js', import.meta.url))

/** What a run gave, by name. */
export type Figures = Readonly<Record<string, number>>

/** What a client is told: the rest is the run's, or at its default. */
export type Task = Pick<Job, 'workload' | 'bytes'> & Partial<Omit<Job, 'url' | 'watch'>>

/** Where a run takes place. */
export interface Ground {
  /** Prepares what the server finds: the folder is empty. */
  readonly prepare?: (folder: string) => Promise<Partial<Task>>
  /** A bucket for this run alone. */
  readonly s3?: () => Promise<NonNullable<Place['s3']>>
  /** Processes of the store, whose CPU is counted apart. */
  readonly store?: readonly number[]
  /** Whether what the server does after its last answer is waited for, and counted. @default true */
  readonly settles?: boolean
  /** Where folders are put that are to be removed later: on some file systems the next files are dear after many were deleted. */
  readonly left?: string[]
  /** Counts what the server asks others for, from before the client's work to when all is quiet again. */
  readonly counter?: { begin(): void; end(): Figures }
}

/** Starts a subject afresh, has a client do its work, and says what both took. */
export async function run(subject: Subject, task: Task, ground: Ground = {}): Promise<Figures> {
  const folder = await mortalFolder('bench')
  try {
    const prepared = { ...task, ...(await ground.prepare?.(folder)) }
    const place = ground.s3 === undefined ? { folder } : { folder, s3: await ground.s3() }
    const server = await subject.start(place)
    try {
      const store = ground.store ?? []
      const [before, storeBefore] = await Promise.all([settledCpuSecondsOf(server.pids), cpuSecondsOf(store)])
      await warmMemory(prepared.bytes)
      ground.counter?.begin()
      const outcome = await askClient({ ...DEFAULTS, ...prepared, url: server.url, watch: server.pids })
      const storeCpu = (await cpuSecondsOf(store)) - storeBefore
      const cpuAfter = ground.settles === false ? cpuSecondsOf : settledCpuSecondsOf
      const cpu = (await cpuAfter(server.pids)) - before
      const peakMib = await peakMibOf(server.pids)
      return { ...figuresOf(prepared, outcome, { cpu, storeCpu, peakMib }), ...ground.counter?.end() }
    } finally {
      await server.stop()
    }
  } finally {
    if (ground.left === undefined) await removeFolder(folder)
    else ground.left.push(folder)
  }
}

const DEFAULTS = { connections: 1, chunk: 5 * MIB, count: 1, upload: '' }

async function askClient(job: Job): Promise<Outcome> {
  const asked = promisify(execFile)(process.execPath, [CLIENT, JSON.stringify(job)], {
    maxBuffer: 64 * MIB,
    timeout: PATIENCE_MS,
  })
  const { stdout } = await asked.catch(({ stderr }: { readonly stderr: string }) => {
    throw new Error(`The client of ${job.workload} was answered: ${stderr || 'nothing'}`)
  })
  return JSON.parse(stdout) as Outcome
}

interface Usage {
  readonly cpu: number
  readonly storeCpu: number
  readonly peakMib: number
}

function figuresOf({ bytes, count = 1 }: Task, outcome: Outcome, { cpu, storeCpu, peakMib }: Usage): Figures {
  const { seconds, cpuSeconds, latencies = [], figures = {} } = outcome
  return {
    mibPerSecond: bytes / MIB / seconds,
    cpuPerGib: (cpu / bytes) * GIB,
    storeCpuPerGib: (storeCpu / bytes) * GIB,
    countPerSecond: count / seconds,
    cpuMsPerCount: (cpu * 1000) / count,
    peakMib,
    clientPercent: (cpuSeconds / seconds) * 100,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    ...figures,
  }
}
