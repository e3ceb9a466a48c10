/**
 * `npm run bench`: Holdfast and a stock @tus/server with @tus/file-store, in turn, on this machine, the client in a process
 * of its own. Prints throughput, the server's CPU seconds per GiB and its peak memory, the ratios of the first two
 * run by run, and the floor: a Node server that throws bytes away, and SHA-256 alone.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const GIB = 1024 ** 3
const MIB = 1024 ** 2
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5)
const BYTES = Number(process.env.BENCH_MIB ?? 1024) * MIB
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const HERE = fileURLToPath(new URL('.', import.meta.url))
/** Clock ticks of Linux's /proc per second. */
const TICKS = 100

interface Figures {
  readonly mibPerSecond: number
  readonly cpuPerGib: number
  readonly peakMib: number
}

interface Subject {
  readonly name: string
  start(directory: string): ChildProcess
}

const holdfast: Subject = {
  name: 'holdfast',
  start: (directory) =>
    spawn(process.execPath, [join(ROOT, 'dist/adapters/standalone/main.js')], {
      env: { ...process.env, PORT: '0', DATA_DIR: directory, LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
}
const stock: Subject = {
  name: '@tus/server',
  start: (directory) =>
    spawn(process.execPath, [join(HERE, 'stock-server.js'), directory], { stdio: ['ignore', 'pipe', 'inherit'] }),
}
/** No server of Node can be cheaper. */
const discarding: Subject = {
  name: 'bytes thrown away',
  start: () => spawn(process.execPath, [join(HERE, 'discard-server.js')], { stdio: ['ignore', 'pipe', 'inherit'] }),
}

/** CPU seconds that SHA-256 alone takes for a GiB here. */
function hashCost(): number {
  const buffers = Array.from({ length: 64 }, () => randomBytes(64 * 1024))
  const hash = createHash('sha256')
  const before = process.cpuUsage()
  for (let n = 0; n < GIB / (64 * 1024); n += 1) hash.update(buffers[n % buffers.length] ?? '')
  hash.digest()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

async function run(subject: Subject, workload: string, connections: number): Promise<Figures> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const server = subject.start(directory)
  try {
    const pid = server.pid ?? 0
    const url = await listening(server)
    const before = await cpuSeconds(pid)
    const load = [join(HERE, 'load.js'), workload, url, String(BYTES), String(connections)]
    const { stdout } = await promisify(execFile)(process.execPath, load)
    const { seconds } = JSON.parse(stdout) as { seconds: number }
    const cpu = (await settledCpu(pid)) - before
    return {
      mibPerSecond: BYTES / MIB / seconds,
      cpuPerGib: (cpu / BYTES) * GIB,
      peakMib: await peakMemory(pid),
    }
  } finally {
    server.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  }
}

async function listening(server: ChildProcess): Promise<string> {
  if (server.stdout === null) throw new Error('no output')
  const lines = createInterface({ input: server.stdout })
  for await (const line of lines) {
    const url = /http:\/\/[\d.:]+/.exec(line)?.[0]
    if (url === undefined) continue
    server.stdout.resume()
    return url
  }
  throw new Error('the server did not start')
}

/** What a server does after its last answer (a checksum that is still being computed) is its cost too. */
async function settledCpu(pid: number): Promise<number> {
  for (let last = -1; ; ) {
    const now = await cpuSeconds(pid)
    if (now - last < 0.02) return now
    last = now
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024
}

function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number): string => (sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN).toFixed(digits)
  return `${at(0.5)} (${at(0)}–${at(1)})`
}

function row(name: string, all: readonly Figures[]): string {
  const of = (key: keyof Figures, digits: number): string =>
    spread(
      all.map((one) => one[key]),
      digits,
    )
  return `| ${name} | ${of('mibPerSecond', 0)} | ${of('cpuPerGib', 2)} | ${of('peakMib', 0)} |`
}

async function compare(
  title: string,
  subjects: readonly (readonly [Subject, string])[],
  connections: number,
): Promise<void> {
  const figures = subjects.map((): Figures[] => [])
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const [at, [subject, workload]] of subjects.entries()) {
      const result = await run(subject, workload, connections)
      // The first round warms the machine up and does not count.
      if (round >= 0) figures[at]?.push(result)
    }
  }
  console.log(`\n### ${title}\n\n| | MiB/s | CPU s/GiB | peak MiB |\n|---|---|---|---|`)
  for (const [at, [subject]] of subjects.entries()) console.log(row(subject.name, figures[at] ?? []))
  const [ours = [], theirs = []] = figures
  const ratio = (key: keyof Figures): number[] => ours.map((one, at) => one[key] / (theirs[at]?.[key] ?? Number.NaN))
  console.log(
    `| ratio of the first two, run by run | ${spread(ratio('mibPerSecond'), 2)} | ${spread(ratio('cpuPerGib'), 2)} | |`,
  )
}

console.log(`${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / GIB)} GiB, Node ${process.version}`)
console.log(
  `${BYTES / MIB} MiB a run, ${ROUNDS} rounds after one to warm up, subjects in turn; median (lowest–highest)`,
)
console.log(`SHA-256 alone: ${hashCost().toFixed(2)} CPU s/GiB`)
await compare(
  'tus, one PATCH',
  [
    [holdfast, 'patch'],
    [stock, 'patch'],
    [discarding, 'patch'],
  ],
  1,
)
await compare(
  'tus, PATCHes of 5 MiB over 4 connections',
  [
    [holdfast, 'patches'],
    [stock, 'patches'],
  ],
  4,
)
await compare(
  'JSON chunks of 5 MiB with SHA-256 over 4 connections, against one stock PATCH',
  [
    [holdfast, 'chunks'],
    [stock, 'patch'],
  ],
  4,
)
