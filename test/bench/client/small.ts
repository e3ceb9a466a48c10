import type { Connection } from './connection.ts'
import type { Job, Told } from './job.ts'
import { complete, createTus, initiate, putChunk } from './protocols.ts'
import { timed } from './throughput.ts'

/** `count` files of `chunk` bytes over all connections, each in its way. */
async function files(
  connections: readonly Connection[],
  { count }: Job,
  send: (connection: Connection, number: number) => Promise<unknown>,
): Promise<Told> {
  const latencies: number[] = []
  let next = 0
  const work = async (connection: Connection): Promise<void> => {
    while (next < count) {
      const number = next++
      await timed(latencies, () => send(connection, number))
    }
  }
  await Promise.all(connections.map(work))
  return { latencies }
}

/** Creation with upload: one request each. */
export function smallTus(connections: readonly Connection[], job: Job): Promise<Told> {
  return files(connections, job, (one) => createTus(one, job.chunk, true))
}

/** Initiate, chunk, complete: three requests each. */
export function smallJson(connections: readonly Connection[], job: Job): Promise<Told> {
  return files(connections, job, async (one) => {
    const id = await initiate(one, job.chunk)
    await putChunk(one, id, 0, job.chunk)
    await complete(one, id)
  })
}

/** PUT: one request each. */
export function smallPut(connections: readonly Connection[], job: Job): Promise<Told> {
  return files(connections, job, (one, number) => one.request('PUT', `/files/${number}`, {}, job.chunk))
}
