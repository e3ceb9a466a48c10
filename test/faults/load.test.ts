import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytesOf, Random, runSeed } from '../support/byte-source.ts'
import { Wire } from '../support/http-wire.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { IS_WHOLE, LOAD } from './campaign/settings.ts'
import { LoadClient, type LoadFigures } from './load/load-client.ts'
import { Times } from './load/percentiles.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** Networks of clients, bytes a second: one in ten is as fast as it goes, one in ten is very slow. */
const NETWORKS = [Infinity, 16 * KIB, ...Array.from({ length: 8 }, () => 64 * KIB)] as const

/** Files, sockets and pipes that a process has open. */
async function openHandles({ pid }: ServerProcess): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}

async function peakMemory({ pid }: ServerProcess): Promise<number> {
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** One of the figures at `/metrics`. */
async function metric({ url }: ServerProcess, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

describe('many clients at the same time', () => {
  it('are all served, the slow beside the fast, and leave nothing open', { timeout: 900_000 }, async () => {
    const server = await startServerProcess(await tempDir(), { CHUNK_SIZE: '128KiB' })
    onTestFinished(() => void server.kill())
    const seed = runSeed()
    const source = bytesOf(seed, 8 * MIB)
    const handlesBefore = await openHandles(server)
    const figures: LoadFigures = {
      first: new Times(),
      quick: new Times(),
      small: new Times(),
      bytes: 0,
      files: 0,
      late: 0,
      refused: new Map(),
    }
    const until = performance.now() + LOAD.seconds * 1000
    const goesOn = (): boolean => performance.now() < until
    const wires: Wire[] = []
    const begun = performance.now()
    const clients = Array.from({ length: LOAD.clients }, async (_, at) => {
      const wire = new Wire(server.url)
      wires.push(wire)
      const bytesPerSecond = NETWORKS[at % NETWORKS.length] ?? 64 * KIB
      await new LoadClient({ wire, random: new Random(seed, at), figures, bytesPerSecond, goesOn, source }).run()
    })
    let lag = 0
    const watch = async (): Promise<void> => {
      while (goesOn()) {
        await delay(1000)
        lag = Math.max(lag, await metric(server, 'nodejs_eventloop_lag_p99_seconds'))
      }
    }
    await Promise.all([...clients, watch()])
    const seconds = (performance.now() - begun) / 1000
    for (const wire of wires) wire.close()
    console.log(
      [
        `load: ${LOAD.clients} clients for ${seconds.toFixed()} s, HOLDFAST_SEED=${seed}`,
        `${(figures.bytes / MIB / seconds).toFixed(1)} MiB/s, ${figures.files} files by the JSON face, ${figures.late} answers without a checksum yet`,
        `all clients come at once, first answers: ${String(figures.first)}`,
        `bodies, beyond the time their network takes: ${String(figures.quick)}`,
        `other requests: ${String(figures.small)}`,
        `peak memory ${(await peakMemory(server)).toFixed()} MiB, delay of the event loop at most ${(lag * 1000).toFixed()} ms (p99)`,
        `refused: ${[...figures.refused].map(([status, count]) => `${count} x ${status}`).join(', ') || 'none'}`,
      ].join('\n'),
    )
    expect([...figures.refused]).toEqual([])
    expect(await peakMemory(server)).toBeLessThan(600)
    // Connections that were kept for the next request go first.
    await expect.poll(() => openHandles(server), { timeout: 20_000 }).toBeLessThanOrEqual(handlesBefore + 10)
    expect(figures.small.percentile(99)).toBeLessThan(IS_WHOLE ? 5_000 : 20_000)
    expect(await server.kill('SIGTERM')).toBe(0)
  })
})
