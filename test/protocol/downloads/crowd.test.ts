import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { sha256, someFile } from '../../support/json-client.ts'
import { type FinishedFile, useDownloadServer } from './download-server.ts'

// Large enough that the systems' buffers between a server and a client that does not read cannot hold it.
const SIZE = 24_000_000
const bytes = someFile(SIZE)
const digest = sha256(bytes)

/** Asks for a file on a socket of its own, and reads nothing. */
async function ask(url: string, path: string, headers = ''): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.pause()
  await once(socket, 'connect')
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`)
  return socket
}

/** What the server has in memory, MiB. */
async function residentMiB(pid: number): Promise<number> {
  const [, kib = ''] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}

describe('thousands of downloads of one file', () => {
  const server = useDownloadServer({ CHUNK_SIZE: '64MiB' })
  let finished: FinishedFile

  beforeAll(async () => {
    finished = await server.finish(bytes)
  })

  it('get what they asked for, and leave no descriptor, broken off or not', async () => {
    await server.request('GET', finished.content)
    const before = await server.descriptors()
    const wrong: unknown[] = []
    const visit = async (wave: number, n: number): Promise<void> => {
      const path = n % 8 < 4 ? finished.tus : finished.content
      // Some leave as soon as they have asked, some while they are sent the whole file.
      if (n % 4 < 2) {
        const socket = await ask(server.url, path)
        if (n % 4 === 1) await once(socket, 'readable')
        socket.destroy()
        return
      }
      const start = (wave * 200 + n) * 1000
      const answer = await server.request('GET', path, { Range: `bytes=${start}-${start + 149_999}` })
      const right = answer.status === 206 && answer.body.equals(bytes.subarray(start, start + 150_000))
      if (!right) wrong.push([answer.status, start])
    }
    for (let wave = 0; wave < 10; wave += 1) {
      await Promise.all(Array.from({ length: 200 }, (_, n) => visit(wave, n)))
    }
    expect(wrong).toEqual([])
    await expect.poll(() => server.descriptors(), { timeout: 10_000 }).toBeLessThanOrEqual(before)
    expect(sha256((await server.request('GET', finished.content)).body)).toBe(digest)
  }, 60_000)

  it('that nobody reads cost little memory, and none of them stops the others', async () => {
    const before = await server.descriptors()
    const residentBefore = await residentMiB(server.pid)
    const idle = await Promise.all(Array.from({ length: 100 }, () => ask(server.url, finished.content)))
    // All are being answered: each has the file open, and keeps it so.
    await expect.poll(() => server.descriptorsOf(finished)).toBe(idle.length)
    // Unbounded, 2,400 MB would wait for them.
    expect((await residentMiB(server.pid)) - residentBefore).toBeLessThan(150)
    expect(sha256((await server.request('GET', finished.content)).body)).toBe(digest)
    expect(await server.descriptorsOf(finished)).toBe(idle.length)
    for (const socket of idle) socket.destroy()
    await expect.poll(() => server.descriptorsOf(finished), { timeout: 10_000 }).toBe(0)
    await expect.poll(() => server.descriptors(), { timeout: 10_000 }).toBeLessThanOrEqual(before)
  }, 60_000)
})

describe('a download', () => {
  const server = useDownloadServer({ CHUNK_SIZE: '64MiB', IDLE_TIMEOUT: '1s' })
  let finished: FinishedFile

  beforeAll(async () => {
    finished = await server.finish(bytes)
  })

  it('whose client takes no byte for the idle timeout is cut', async () => {
    const before = await server.descriptors()
    const socket = await ask(server.url, finished.content)
    await expect.poll(() => server.descriptorsOf(finished)).toBe(1)
    await expect.poll(() => server.descriptorsOf(finished), { timeout: 10_000 }).toBe(0)
    await expect.poll(() => server.descriptors(), { timeout: 10_000 }).toBeLessThanOrEqual(before)
    socket.destroy()
  })

  it('that is taken slowly comes to its end', async () => {
    const socket = await ask(server.url, finished.content, 'Connection: close\r\n')
    let received = 0
    let taken = 0
    const begun = performance.now()
    for await (const piece of socket as AsyncIterable<Buffer>) {
      received += piece.length
      if (received - taken < SIZE / 8) continue
      taken = received
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
    expect(performance.now() - begun).toBeGreaterThan(2500)
    expect(received).toBeGreaterThan(SIZE)
  }, 30_000)

  it('leaves its connection fit for the next request, however late that comes', async () => {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    const answers: string[] = []
    socket.on('data', (piece) => answers.push(piece.toString('latin1')))
    const send = (): unknown => socket.write(`GET ${finished.content} HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n`)
    send()
    await expect.poll(() => answers.join('').match(/206 Partial/g)?.length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    send()
    await expect.poll(() => answers.join('').match(/206 Partial/g)?.length).toBe(2)
    socket.destroy()
  })
})
