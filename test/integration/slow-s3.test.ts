import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { sharedVariables } from '../support/cluster.ts'
import { Wire } from '../support/http-wire.ts'
import { startServerProcess } from '../support/server-process.ts'
import { describeWithS3, newBucket, s3Service } from '../support/services/s3.ts'
import { SlowProxy } from '../support/slow-proxy.ts'
import { tempDir } from '../support/temp-dir.ts'
import { createdId, initiated, JsonDriver, offsetIn, storedChunk, TusDriver } from '../support/upload-drivers.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB
const SPOOL = 40 * MIB

/** Bytes in files without a name that a process has open. */
async function namelessBytes(pid: number, directory: string): Promise<number> {
  let bytes = 0
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const path = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
    if (!path.startsWith(directory) || !path.endsWith('(deleted)')) continue
    bytes += await stat(`/proc/${pid}/fd/${fd}`).then(
      ({ size }) => size,
      () => 0,
    )
  }
  return bytes
}

/** So many clients send a chunk each at once to a server whose S3 is slow. What that took, bytes. */
async function crowd(clients: number) {
  const proxy = await SlowProxy.start(s3Service().endpoint, 40 * MIB)
  const spool = await tempDir()
  const { REDIS_URL: _, ...variables } = sharedVariables('', await newBucket())
  const server = await startServerProcess(await tempDir(), {
    ...variables,
    S3_ENDPOINT: proxy.url,
    MEMORY_BUDGET: '40MiB',
    SPOOL_BUDGET: `${SPOOL}`,
    SPOOL_DIR: spool,
  })
  const wire = new Wire(server.url)
  onTestFinished(async () => {
    wire.close()
    await server.kill()
    await proxy.stop()
  })
  const bytes = bytesOf(clients, CHUNK)
  const json = new JsonDriver(wire)
  const tus = new TusDriver(wire)
  let spooled = 0
  const over = new AbortController()
  const watch = (async () => {
    while (!over.signal.aborted) {
      spooled = Math.max(spooled, await namelessBytes(server.pid, spool))
      await delay(10)
    }
  })()
  const client = async (n: number): Promise<void> => {
    // Every fourth is a tus client.
    if (n % 4 === 0) {
      const id = createdId(await tus.create(2 * CHUNK, `${n}`))
      expect(offsetIn(await tus.patch(id, 0, bytes))).toBe(CHUNK)
    } else {
      const { id } = initiated(await json.initiate(2 * CHUNK, `${n}`, CHUNK))
      expect(storedChunk(await json.putChunk(id, 1, bytes)).checksum).toBe(sha256Of(bytes))
    }
  }
  await Promise.all(Array.from({ length: clients }, (_unused, n) => client(n)))
  over.abort()
  await watch
  const peak = Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1024
  expect(await readdir(spool)).toEqual([])
  expect(await namelessBytes(server.pid, spool)).toBe(0)
  return { peak, spooled }
}

describeWithS3('while S3 is slow', () => {
  it('memory and spool stay within their budgets, however many clients there are', { timeout: 120_000 }, async () => {
    const few = await crowd(8)
    const many = await crowd(60)
    const inMib = (bytes: number): number => Math.round(bytes / MIB)
    console.log(
      `8 clients: peak ${inMib(few.peak)} MiB, ${inMib(few.spooled)} MiB spooled; 60: ${inMib(many.peak)}, ${inMib(many.spooled)}`,
    )
    expect(many.spooled).toBeGreaterThan(SPOOL / 2)
    expect(many.spooled).toBeLessThanOrEqual(SPOOL)
    // 300 MiB are sent at once.
    expect(many.peak - few.peak).toBeLessThan(128 * MIB)
  })
})
