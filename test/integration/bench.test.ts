import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Connection } from '../bench/client/connection.ts'
import type { Job, Workload } from '../bench/client/job.ts'
import { windowsOf } from '../bench/client/flat.ts'
import { WORK } from '../bench/client/workloads.ts'
import { prepareUpload } from '../bench/prepared-upload.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Sizes of all finished files, in order. */
async function fileSizes(directory: string): Promise<readonly number[]> {
  const names = (await readdir(join(directory, 'files'))).filter((name) => !name.endsWith('.json'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, 'files', name))).size))
  return sizes.toSorted((a, b) => a - b)
}

async function work(server: ServerProcess, workload: Workload, job: Partial<Job> = {}) {
  const whole = { workload, url: server.url, bytes: 4 * MIB, connections: 1, chunk: 5 * MIB, count: 1, upload: '' }
  const all = { ...whole, watch: [server.pid], ...job }
  const connections = await Promise.all(Array.from({ length: all.connections }, () => Connection.to(all.url)))
  try {
    return await WORK[workload](connections, all)
  } finally {
    for (const one of connections) one.close()
  }
}

describe('the benchmark’s client', () => {
  let directory: string
  let server: ServerProcess
  let known: readonly number[] = []

  beforeAll(async () => {
    directory = await makeTempDir()
    server = await startServerProcess(directory, { CHUNK_SIZE: String(MIB) })
  })

  afterAll(async () => {
    await server.kill()
  })

  /** Sizes of the files that were not there the last time. */
  async function newSizes(): Promise<readonly number[]> {
    const all = [...(await fileSizes(directory))]
    const before = known
    known = [...all]
    for (const size of before) all.splice(all.indexOf(size), 1)
    return all
  }

  it.each([
    ['patch', { connections: 2 }, [2 * MIB, 2 * MIB]],
    ['patches', { connections: 2, chunk: 768 * KIB }, [2 * MIB, 2 * MIB]],
    ['chunks', { connections: 3, chunk: MIB }, [4 * MIB]],
    ['small-tus', { count: 3, chunk: 50 * KIB, connections: 2 }, [50 * KIB, 50 * KIB, 50 * KIB]],
    ['small-json', { count: 3, chunk: 50 * KIB, connections: 2 }, [50 * KIB, 50 * KIB, 50 * KIB]],
    ['poll-nothing', {}, [4 * MIB]],
    ['poll-head', {}, [4 * MIB]],
    ['poll-progress', {}, [4 * MIB]],
    ['flat-tus', { count: 20, chunk: 10 * KIB }, [200 * KIB]],
    ['flat-json', { count: 20, chunk: 10 * KIB }, [200 * KIB]],
    ['whole-tus', { chunk: MIB, bytes: 2 * MIB + 5 }, [2 * MIB + 5]],
    ['whole-json', { chunk: MIB, bytes: 2 * MIB + 5 }, [2 * MIB + 5]],
  ] satisfies [Workload, Partial<Job>, number[]][])('makes whole files with %s %j', async (workload, job, sizes) => {
    await work(server, workload, job)
    expect(await newSizes()).toEqual(sizes)
  })

  it('notes how long each request took, and what it cost in the windows', async () => {
    const { latencies = [] } = await work(server, 'chunks', { chunk: MIB })
    expect(latencies).toHaveLength(4)
    const { figures = {} } = await work(server, 'flat-json', { count: 20, chunk: 10 * KIB })
    expect(Object.keys(figures).toSorted()).toEqual(
      windowsOf(20)
        .flatMap((_, window) => [`cpu-${window}`, `p50-${window}`])
        .toSorted(),
    )
  })

  it('is told what the server has of an upload that is under way', async () => {
    const { latencies = [], figures } = await work(server, 'head-of-live', { count: 1, bytes: 64 * MIB })
    expect(latencies).toHaveLength(1)
    expect(figures?.['lostKib']).toBeGreaterThanOrEqual(0)
  })
})

it('completes a prepared upload of 100 GiB, which takes no room', async () => {
  const [directory, size] = [await makeTempDir(), 100 * 1024 * MIB]
  const prepared = await prepareUpload(directory, size)
  const server = await startServerProcess(directory, { FILE_CHECKSUM: 'composite' })
  try {
    await work(server, 'last-json', prepared)
    expect(await fileSizes(directory)).toEqual([size])
  } finally {
    await server.kill()
  }
})

it('looks at costs in windows that lie in the upload, one behind the other', () => {
  expect(windowsOf(10_000)).toEqual([
    { from: 9, to: 509 },
    { from: 999, to: 1499 },
    { from: 4999, to: 5499 },
    { from: 9499, to: 9999 },
  ])
})
