/**
 * What processes cost, out of Linux's /proc.
 */
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** Clock ticks of /proc in a second: Linux shows 100 on every machine. */
const TICKS = 100
/** How long a process must have been idle to be done, ms. */
const QUIET_MS = 300

/** CPU seconds of these processes and all their children, those that have ended and were waited for included. */
export async function cpuSecondsOf(pids: readonly number[]): Promise<number> {
  const seconds = (await family(pids)).map(async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS
  })
  return (await Promise.all(seconds)).reduce((sum, one) => sum + one, 0)
}

/** What a server does after its last answer (a checksum that is still being computed) is its cost too. */
export async function settledCpuSecondsOf(pids: readonly number[]): Promise<number> {
  for (let last = -1; ; ) {
    const now = await cpuSecondsOf(pids)
    if (now - last < 0.02) return now
    last = now
    await delay(QUIET_MS)
  }
}

/** The most memory that each of these processes and their children has had resident, added up: MiB. */
export async function peakMibOf(pids: readonly number[]): Promise<number> {
  const peaks = (await family(pids)).map(async (pid) => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
  })
  return (await Promise.all(peaks)).reduce((sum, one) => sum + one, 0)
}

/** CPU seconds of the whole machine, its cores added up: what somebody was given, and what the host took away. */
export async function machineCpuSeconds(): Promise<{ readonly busy: number; readonly all: number }> {
  const [first = ''] = (await readFile('/proc/stat', 'utf8')).split('\n', 1)
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = first
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / TICKS)
  const busy = user + nice + system + irq + softirq + steal
  return { busy, all: busy + idle + iowait }
}

/** The processes and all that descend from them. */
async function family(pids: readonly number[]): Promise<readonly number[]> {
  const all: number[] = []
  for (const pid of pids) {
    const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
    const lists = await Promise.all(
      threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
    )
    const children = lists.flatMap((list) => list.split(' ').filter((child) => child !== ''))
    all.push(pid, ...(await family(children.map(Number))))
  }
  return all
}
