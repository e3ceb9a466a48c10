import { readFile } from 'node:fs/promises'
import { type ClientRequest, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { Wire } from '../support/http-wire.ts'
import { runServerProcess, type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import {
  completed,
  createdId,
  initiated,
  JsonDriver,
  offsetIn,
  progressIn,
  storedChunk,
  TusDriver,
} from '../support/upload-drivers.ts'

const KIB = 1024
const CHUNK = 256 * KIB
const VARIABLES = { CHUNK_SIZE: '256KiB' } as const
const MOST_MS = 5_000

async function start(directory: string): Promise<ServerProcess & { readonly wire: Wire }> {
  const server = await startServerProcess(directory, VARIABLES)
  const wire = new Wire(server.url)
  onTestFinished(async () => {
    wire.close()
    await server.kill()
  })
  return { ...server, wire }
}

/** A request whose body stays open, and what came of it. */
interface OpenBody {
  /** Sends bytes. Resolves when the server has read them. */
  send(bytes: Buffer): Promise<void>
  /** The status of the answer, or 'cut' where the connection ended without one. */
  readonly end: Promise<number | 'cut'>
}

function openBody(wire: Wire, method: string, path: string, headers: Readonly<Record<string, string>>): OpenBody {
  const message: ClientRequest = request(new URL(path, wire.url), { method, headers, agent: false })
  const end = new Promise<number | 'cut'>((resolve) => {
    message.once('response', (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    message.on('error', () => resolve('cut'))
    message.once('close', () => resolve('cut'))
  })
  return {
    end,
    send: async (bytes) => {
      await new Promise<void>((resolve, reject) => {
        message.write(bytes, (error) => (error ? reject(error) : resolve()))
      })
      // The bytes stand in the server's socket before these requests do: when they are answered it has read them.
      for (let n = 0; n < 3; n += 1) expect((await wire.send('GET', '/healthz')).status).toBe(200)
    },
  }
}

function openPatch(wire: Wire, id: string, offset: number, length: number): OpenBody {
  return openBody(wire, 'PATCH', `/files/${id}`, {
    'Tus-Resumable': '1.0.0',
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': String(offset),
    'Content-Length': String(length),
  })
}

function openChunk(wire: Wire, id: string, number: number, length: number): OpenBody {
  return openBody(wire, 'POST', `/api/v1/uploads/${id}/chunks`, {
    'Content-Type': 'application/octet-stream',
    'X-Chunk-Number': String(number),
    'Content-Length': String(length),
  })
}

/** Sends SIGTERM and waits for the end. */
async function terminate(server: ServerProcess): Promise<{ readonly code: number | null; readonly ms: number }> {
  const began = performance.now()
  const code = await server.kill('SIGTERM')
  return { code, ms: performance.now() - began }
}

describe('a server that is told to stop while bodies are open', () => {
  it('ends well within 5 s, keeps every byte of the tus body, and nothing of half a chunk', {
    timeout: 40_000,
  }, async () => {
    const directory = await tempDir()
    const bytes = bytesOf(51, 4 * CHUNK + 99)
    const first = await start(directory)
    const tusId = createdId(await new TusDriver(first.wire).create(bytes.length, 'tus.bin'))
    const json = new JsonDriver(first.wire)
    const { id: jsonId } = initiated(await json.initiate(bytes.length, 'json.bin', CHUNK))
    const stored = storedChunk(await json.putChunk(jsonId, 2, bytes.subarray(2 * CHUNK, 3 * CHUNK)))

    const patch = openPatch(first.wire, tusId, 0, bytes.length)
    const chunk = openChunk(first.wire, jsonId, 0, CHUNK)
    let sent = 0
    for (const size of [1, 50 * KIB, 64 * KIB, 100 * KIB, 63 * KIB, 7777]) {
      await patch.send(bytes.subarray(sent, sent + size))
      sent += size
      await delay(20)
    }
    await chunk.send(bytes.subarray(0, CHUNK / 2))
    expect(sent).toBeGreaterThan(CHUNK)

    const { code, ms } = await terminate(first)
    expect(code, first.output()).toBe(0)
    expect(ms).toBeLessThan(MOST_MS)
    // What tus clients take for "later", and JSON clients too.
    expect(await patch.end).toBe(423)
    expect(await chunk.end).toBe(503)

    const second = await start(directory)
    const head = await new TusDriver(second.wire).head(tusId)
    expect(offsetIn(head)).toBe(sent)
    const again = new JsonDriver(second.wire)
    const progress = progressIn(await again.progress(jsonId))
    expect(progress).toMatchObject({
      uploadedBytes: CHUNK,
      missingChunks: [
        [0, 1],
        [3, 4],
      ],
    })

    const rest = await new TusDriver(second.wire).patch(tusId, sent, bytes.subarray(sent))
    expect(rest.status).toBe(204)
    for (const number of [0, 1, 3, 4]) {
      const part = bytes.subarray(number * CHUNK, (number + 1) * CHUNK)
      storedChunk(await again.putChunk(jsonId, number, part))
    }
    const { uploadedAt } = storedChunk(await again.putChunk(jsonId, 2, bytes.subarray(2 * CHUNK, 3 * CHUNK)))
    expect(uploadedAt).toBe(stored.uploadedAt)
    for (const id of [tusId, jsonId]) {
      const done = completed(await again.complete(id))
      expect(done).toMatchObject({ status: 'uploaded', checksum: sha256Of(bytes) })
      expect((await readFile(join(directory, 'files', done.id))).equals(bytes)).toBe(true)
    }
    expect((await terminate(second)).code).toBe(0)
  })

  it('ends within 5 s with clients that never read, never send, and keep connections open', {
    timeout: 40_000,
  }, async () => {
    const directory = await tempDir()
    const server = await start(directory)
    const id = createdId(await new TusDriver(server.wire).create(10 * CHUNK, 'idle.bin'))
    // One that waits for its lock behind another, one that has sent nothing, one that is idle between requests.
    const holder = openPatch(server.wire, id, 0, 10 * CHUNK)
    await holder.send(Buffer.alloc(10, 1))
    const silent = openChunk(server.wire, id, 5, CHUNK)
    await silent.send(Buffer.alloc(1))
    const { code, ms } = await terminate(server)
    expect(code, server.output()).toBe(0)
    expect(ms).toBeLessThan(MOST_MS)
    expect(await holder.end).toBe(423)
    expect(await silent.end).toBe(503)
  })
})

describe('two servers on one directory', () => {
  it('lets the second wait for the first, which is on its way out, and then start', { timeout: 40_000 }, async () => {
    const directory = await tempDir()
    const bytes = bytesOf(52, 2 * CHUNK)
    const first = await start(directory)
    const id = createdId(await new TusDriver(first.wire).create(bytes.length, 'handover.bin'))
    const patch = openPatch(first.wire, id, 0, bytes.length)
    await patch.send(bytes.subarray(0, CHUNK + 5))

    // The first stands still with the signal before it: the second finds an owner that is there, and has to wait.
    process.kill(first.pid, 'SIGSTOP')
    const exited = first.kill('SIGTERM')
    let started = false
    const second = start(directory).then((server) => {
      started = true
      return server
    })
    await delay(1500)
    expect(started).toBe(false)
    process.kill(first.pid, 'SIGCONT')

    expect(await exited, first.output()).toBe(0)
    const { wire } = await second
    expect(offsetIn(await new TusDriver(wire).head(id))).toBe(CHUNK + 5)
    const rest = await new TusDriver(wire).patch(id, CHUNK + 5, bytes.subarray(CHUNK + 5))
    expect(rest.status).toBe(204)
    const done = completed(await new JsonDriver(wire).complete(id))
    expect(done.checksum).toBe(sha256Of(bytes))
  })

  it('refuses the second in one line that names the directory while the first runs on', {
    timeout: 40_000,
  }, async () => {
    const directory = await tempDir()
    const first = await start(directory)
    const second = await runServerProcess({ PORT: '0', DATA_DIR: directory })
    expect(second.code).not.toBe(0)
    expect(second.code).not.toBeNull()
    const lines = second.stderr.trim().split('\n')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain(directory)
    expect(second.stdout).not.toContain('/files')
    // The first has not noticed.
    expect(createdId(await new TusDriver(first.wire).create(1, 'a.bin'))).toMatch(/^[0-9a-f-]{36}$/)
    expect((await terminate(first)).code).toBe(0)
  })

  it('lets one of two start at once after a kill, and refuses the other', { timeout: 40_000 }, async () => {
    const directory = await tempDir()
    const killed = await start(directory)
    await killed.kill()
    const variables = { PORT: '0', DATA_DIR: directory }
    const rivals = [1, 2].map(() => startServerProcess(directory, variables))
    const ends = await Promise.allSettled(rivals)
    for (const end of ends) if (end.status === 'fulfilled') onTestFinished(async () => void (await end.value.kill()))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const [refusal] = ends.filter((end) => end.status === 'rejected')
    expect(String(refusal?.reason)).toContain(directory)
  })
})
