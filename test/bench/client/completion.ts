import type { Connection } from './connection.ts'
import type { Job, Told } from './job.ts'
import { complete, createTus, initiate, patchTus, putChunk } from './protocols.ts'
import { timed } from './throughput.ts'

/** The last PATCH of an upload that lacks nothing else: it completes it. */
export async function lastTus([first]: readonly Connection[], job: Job): Promise<Told> {
  if (first === undefined) return {}
  const { number, length } = last(job)
  const latencies: number[] = []
  await timed(latencies, () => patchTus(first, `/files/${job.upload}`, number * job.chunk, length))
  return { figures: { completeMs: latencies[0] ?? 0 } }
}

/** The last chunk of an upload that lacks nothing else, and then the call that completes it. */
export async function lastJson([first]: readonly Connection[], job: Job, prefer?: 'wait=0'): Promise<Told> {
  if (first === undefined) return {}
  const { number, length } = last(job)
  await putChunk(first, job.upload, number, length)
  return { figures: await timedComplete(first, job.upload, prefer) }
}

/** A whole upload in order over one connection, in PATCHes of a chunk: how long the last of them takes. */
export async function wholeTus([first]: readonly Connection[], job: Job): Promise<Told> {
  if (first === undefined) return {}
  const path = await createTus(first, job.bytes)
  const { number } = last(job)
  for (let n = 0; n < number; n += 1) await patchTus(first, path, n * job.chunk, job.chunk)
  return lastTus([first], { ...job, upload: path.split('/').at(-1) ?? '' })
}

/** A whole upload in order over one connection, in JSON chunks: how long its completion takes. */
export async function wholeJson([first]: readonly Connection[], job: Job, prefer?: 'wait=0'): Promise<Told> {
  if (first === undefined) return {}
  const id = await initiate(first, job.bytes)
  const { number } = last(job)
  for (let n = 0; n < number; n += 1) await putChunk(first, id, n, job.chunk)
  return lastJson([first], { ...job, upload: id }, prefer)
}

async function timedComplete(
  connection: Connection,
  id: string,
  prefer?: 'wait=0',
): Promise<Readonly<Record<string, number>>> {
  const latencies: number[] = []
  await timed(latencies, () => complete(connection, id, prefer))
  return { completeMs: latencies[0] ?? 0 }
}

function last({ bytes, chunk }: Job): { readonly number: number; readonly length: number } {
  const number = Math.ceil(bytes / chunk) - 1
  return { number, length: bytes - number * chunk }
}
