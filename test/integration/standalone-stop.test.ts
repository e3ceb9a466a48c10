import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Wire } from '../support/http-wire.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { testManifest } from '../support/storage-suite.ts'
import { tempDir } from '../support/temp-dir.ts'
import { createdId, TusDriver } from '../support/upload-drivers.ts'

const TIMEOUT = { timeout: 40_000 }
/** More than the buffers between two sockets hold. */
const FILE_BYTES = 32 * 1024 * 1024

async function start(directory: string, variables: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const server = await startServerProcess(directory, variables)
  onTestFinished(async () => void (await server.kill()))
  return server
}

/** A server that is in the middle of a download, which its client does not read. */
async function serving(variables: Readonly<Record<string, string>>) {
  const server = await start(await tempDir(), variables)
  const wire = new Wire(server.url)
  onTestFinished(() => wire.close())
  const tus = new TusDriver(wire)
  const id = createdId(await tus.create(FILE_BYTES, 'a.bin'))
  expect((await tus.patch(id, 0, Buffer.alloc(FILE_BYTES))).status).toBe(204)
  const download = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${server.url}/files/${id}`, { agent: false }, resolve).on('error', reject)
  })
  download.on('error', () => {})
  onTestFinished(() => void download.destroy())
  return { server, download }
}

async function timed<T>(work: Promise<T>): Promise<{ readonly result: T; readonly ms: number }> {
  const began = performance.now()
  return { result: await work, ms: performance.now() - began }
}

describe('a server that is told to stop in the middle of a download', () => {
  it('lets it come to its end', TIMEOUT, async () => {
    const { server, download } = await serving({})
    const exited = server.kill('SIGTERM')
    await vi.waitUntil(() => server.output().includes('SIGTERM: shutting down'))
    await delay(300)
    let received = 0
    for await (const piece of download) received += (piece as Buffer).length
    expect(received).toBe(FILE_BYTES)
    expect(await exited, server.output()).toBe(0)
    expect(server.output()).toContain('shut down')
  })

  it('ends at once at a second signal', TIMEOUT, async () => {
    const { server } = await serving({})
    const exited = server.kill('SIGTERM')
    await vi.waitUntil(() => server.output().includes('SIGTERM: shutting down'))
    // It would wait for the download.
    await delay(300)
    expect(server.output()).not.toContain('ending at once')
    const { result, ms } = await timed(server.kill('SIGINT'))
    expect(result).not.toBe(0)
    expect(ms).toBeLessThan(2000)
    expect(server.output()).toContain('SIGINT again: ending at once')
    await exited
  })

  it('ends after SHUTDOWN_TIMEOUT', TIMEOUT, async () => {
    const { server } = await serving({ SHUTDOWN_TIMEOUT: '700ms' })
    const { result, ms } = await timed(server.kill('SIGTERM'))
    expect(result).not.toBe(0)
    expect(ms).toBeGreaterThan(600)
    expect(ms).toBeLessThan(3000)
    expect(server.output()).toContain('the shutdown took longer than 700 ms (SHUTDOWN_TIMEOUT): ending at once')
  })
})

describe('a server whose disk does not answer', () => {
  /** A read of a pipe that nobody writes never returns: what a dead network disk is to those who read it. */
  async function stuck(variables: Readonly<Record<string, string>>): Promise<ServerProcess> {
    const directory = await tempDir()
    const id = randomUUID()
    const folder = join(directory, 'uploads', id)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(testManifest({ id })))
    execFileSync('mkfifo', [join(folder, 'journal')])
    return start(directory, variables)
  }

  it('ends after SHUTDOWN_TIMEOUT all the same', TIMEOUT, async () => {
    const server = await stuck({ SHUTDOWN_TIMEOUT: '500ms' })
    await delay(300)
    const { result, ms } = await timed(server.kill('SIGTERM'))
    expect(result).not.toBe(0)
    expect(ms).toBeLessThan(3000)
    expect(server.output()).toContain('(SHUTDOWN_TIMEOUT): ending at once')
  })

  it('ends at a second signal all the same', TIMEOUT, async () => {
    const server = await stuck({})
    await delay(300)
    void server.kill('SIGTERM')
    await vi.waitUntil(() => server.output().includes('SIGTERM: shutting down'))
    const { ms } = await timed(server.kill('SIGTERM'))
    expect(ms).toBeLessThan(3000)
  })
})
