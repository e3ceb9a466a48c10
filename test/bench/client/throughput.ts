import type { Connection } from './connection.ts'
import type { Job, Told } from './job.ts'
import { complete, createTus, initiate, patchTus, putChunk } from './protocols.ts'

/** One upload for each connection, in one PATCH. */
export async function patch(connections: readonly Connection[], { bytes }: Job): Promise<Told> {
  const share = bytes / connections.length
  await Promise.all(connections.map(async (one) => patchTus(one, await createTus(one, share), 0, share)))
  return {}
}

/** One upload for each connection, in PATCHes of a chunk. */
export async function patches(connections: readonly Connection[], { bytes, chunk }: Job): Promise<Told> {
  const share = Math.ceil(bytes / connections.length)
  const latencies: number[] = []
  const send = async (connection: Connection): Promise<void> => {
    const path = await createTus(connection, share)
    for (let offset = 0; offset < share; offset += chunk) {
      await timed(latencies, () => patchTus(connection, path, offset, Math.min(chunk, share - offset)))
    }
  }
  await Promise.all(connections.map(send))
  return { latencies }
}

/** One upload over all connections, in JSON chunks with their SHA-256. */
export async function chunks(connections: readonly Connection[], { bytes, chunk }: Job): Promise<Told> {
  const [first] = connections
  if (first === undefined) return {}
  const count = Math.ceil(bytes / chunk)
  const id = await initiate(first, count * chunk)
  const latencies: number[] = []
  let next = 0
  const send = async (connection: Connection): Promise<void> => {
    while (next < count) {
      const number = next++
      await timed(latencies, () => putChunk(connection, id, number, chunk))
    }
  }
  await Promise.all(connections.map(send))
  await complete(first, id, 'wait=0')
  return { latencies }
}

/** A file for each connection, in one PUT. */
export async function put(connections: readonly Connection[], { bytes }: Job): Promise<Told> {
  const share = bytes / connections.length
  await Promise.all(connections.map((one, n) => one.request('PUT', `/files/${n}`, {}, share)))
  return {}
}

/** Files of a chunk, each in one PUT. */
export async function puts(connections: readonly Connection[], { bytes, chunk }: Job): Promise<Told> {
  const count = Math.ceil(bytes / chunk)
  const latencies: number[] = []
  let next = 0
  const send = async (connection: Connection): Promise<void> => {
    while (next < count) {
      const path = `/files/${next++}`
      await timed(latencies, () => connection.request('PUT', path, {}, chunk))
    }
  }
  await Promise.all(connections.map(send))
  return { latencies }
}

/** The server uploads bytes of its own, elsewhere. */
export async function selfUpload(connections: readonly Connection[], { bytes }: Job): Promise<Told> {
  await connections[0]?.request('POST', `/${bytes}`, {})
  return {}
}

/** Does some work, and notes how many ms it took. */
export async function timed<T>(latencies: number[], work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const result = await work()
  latencies.push(performance.now() - began)
  return result
}
