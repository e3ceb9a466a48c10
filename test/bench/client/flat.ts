import { cpuSecondsOf } from '../process-usage.ts'
import { percentile } from '../statistics.ts'
import type { Connection } from './connection.ts'
import type { Job, Told } from './job.ts'
import { complete, createTus, initiate, patchTus, putChunk } from './protocols.ts'
import { timed } from './throughput.ts'

const BEGINNINGS = [0.001, 0.1, 0.5, 0.95] as const
const LENGTH = 0.05

/** Chunks `[from, to)` of an upload of `count`, early and late in it, over which it is looked at what one costs. */
export function windowsOf(count: number): readonly { readonly from: number; readonly to: number }[] {
  return BEGINNINGS.map((part) => {
    const from = Math.ceil(part * count) - 1
    return { from, to: from + Math.max(1, Math.floor(LENGTH * count)) }
  })
}

/** One upload of `count` chunks, one after the other: what a chunk costs early on, and late. */
export async function flat([first]: readonly Connection[], job: Job, face: 'tus' | 'json'): Promise<Told> {
  if (first === undefined) return {}
  const { count, chunk, watch } = job
  const place = face === 'tus' ? await createTus(first, count * chunk) : await initiate(first, count * chunk, chunk)
  const figures: Record<string, number> = {}
  const windows = windowsOf(count)
  let latencies: number[] = []
  let before = 0
  for (let number = 0; number < count; number += 1) {
    if (windows.some(({ from }) => from === number)) {
      latencies = []
      before = await cpuSecondsOf(watch)
    }
    await timed(latencies, () =>
      face === 'tus' ? patchTus(first, place, number * chunk, chunk) : putChunk(first, place, number, chunk),
    )
    const ended = windows.findIndex(({ to }) => to === number + 1)
    if (ended < 0) continue
    figures[`p50-${ended}`] = percentile(latencies, 0.5)
    figures[`cpu-${ended}`] = (((await cpuSecondsOf(watch)) - before) * 1000) / latencies.length
  }
  if (face === 'json') await complete(first, place, 'wait=0')
  return { figures }
}
