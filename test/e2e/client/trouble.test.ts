import { File } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ResumableUploader, type UploadProgress } from '../../../adapters/client/index.ts'
import { CHUNK, useServer } from '../../protocol/tus/running-server.ts'
import { startCuttingProxy } from '../../support/cutting-proxy.ts'
import { sha256 } from '../../support/json-client.ts'
import { listen } from '../../support/listen.ts'
import { startServerProcess } from '../../support/server-process.ts'
import { freePort } from '../../support/snippets.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { WatchedFetch } from '../../support/watched-fetch.ts'

const bytes = randomBytes(20 * CHUNK + 5)
const film = new File([bytes], 'film.mp4', { lastModified: 5 })
const all = Array.from({ length: 21 }, (_, n) => n)
const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)
const quick = { retryDelayMs: 20, maxRetryDelayMs: 200 }

describe('An upload', () => {
  const server = useServer()

  it('survives the kill of the server, and sends nothing twice that was acknowledged', async () => {
    const [dataDir, port] = [await tempDir(), await freePort()]
    const variables = { CHUNK_SIZE: String(CHUNK), PORT: String(port) }
    let running = await startServerProcess(dataDir, variables)
    onTestFinished(() => void running.kill())
    let acknowledged = 0
    let restarted = Promise.resolve()
    const watched = new WatchedFetch({
      after: ({ chunk }) => {
        if (chunk === null || (acknowledged += 1) !== 6) return
        restarted = running.kill('SIGKILL').then(async () => {
          running = await startServerProcess(dataDir, variables)
        })
      },
    })
    const told: UploadProgress[] = []
    const uploader = new ResumableUploader(running.url, { ...quick, retries: 200, fetch: watched.fetch })
    uploader.onProgress = (progress) => void told.push(progress)
    const file = await uploader.uploadFile(film)
    await restarted
    expect(file.checksum).toBe(sha256(bytes))
    expect(sorted(watched.stored)).toEqual(all)
    expect(watched.requests.some(({ status }) => status === null)).toBe(true)
    const waiting = told.find(({ state }) => state === 'waiting')
    expect(waiting?.trouble).toMatchObject({ code: 'NETWORK' })
    expect(told.at(-1)).toMatchObject({ state: 'done', trouble: null })
  })

  it('survives a network that breaks in the middle of chunks', async () => {
    const proxy = await startCuttingProxy(server.url)
    onTestFinished(() => proxy.close())
    const watched = new WatchedFetch()
    const uploader = new ResumableUploader(proxy.url, { ...quick, fetch: watched.fetch })
    const cuts = (async () => {
      for (const after of [CHUNK / 2, 3.5 * CHUNK, 5.1 * CHUNK]) await proxy.cutAfter(Math.round(after))
    })()
    await expect(uploader.uploadFile(film)).resolves.toMatchObject({ checksum: sha256(bytes) })
    await cuts
    expect(sorted(watched.stored)).toEqual(all)
    expect(watched.requests.filter(({ status }) => status === null).length).toBeGreaterThanOrEqual(3)
  })

  it('sends a chunk again that was spoiled on its way', async () => {
    let spoiled = 0
    const watched = new WatchedFetch({
      body: ({ chunk }, body) => {
        if (chunk !== 7 || spoiled > 1) return body
        spoiled += 1
        const other = new Uint8Array(body.slice(0))
        other[0] = (other[0] ?? 0) ^ 1
        return other.buffer
      },
    })
    const uploader = new ResumableUploader(server.url, { ...quick, fetch: watched.fetch })
    await expect(uploader.uploadFile(film)).resolves.toMatchObject({ checksum: sha256(bytes) })
    const sent = watched.requests.filter(({ chunk }) => chunk === 7).map(({ status }) => status)
    expect(sent).toEqual([422, 422, 200])
  })

  it('waits as long as it is told to, and gives up when it has tried often enough', async () => {
    const at: number[] = []
    const url = await listen((request, response) => {
      at.push(performance.now())
      request.resume()
      const error = { code: 'RATE_LIMITED', message: 'Too many requests.', requestId: 'r-1' }
      response.writeHead(429, { 'Content-Type': 'application/json', 'Retry-After': '1' })
      response.end(JSON.stringify({ success: false, error }))
    })
    const uploader = new ResumableUploader(url, { retries: 1, retryDelayMs: 1 })
    await expect(uploader.uploadFile(film)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      status: 429,
      requestId: 'r-1',
      retryAfterMs: 1000,
    })
    const [first = 0, second = 0, ...more] = at
    expect(second - first).toBeGreaterThanOrEqual(990)
    expect(more).toEqual([])
  })

  it('ends a request on which nothing moves', async () => {
    const url = await listen(() => {})
    const uploader = new ResumableUploader(url, { retries: 1, retryDelayMs: 1, stallTimeoutMs: 50 })
    await expect(uploader.uploadFile(film)).rejects.toMatchObject({ code: 'STALLED', status: null })
  })

  it('says what answers in the place of the server', async () => {
    const url = await listen((request, response) => {
      request.resume()
      response.writeHead(413, { 'Content-Type': 'text/html' }).end('<h1>413 Request Entity Too Large</h1>')
    })
    const uploader = new ResumableUploader(url)
    await expect(uploader.uploadFile(film)).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER', status: 413 })
  })

  it('fails where the file cannot be read any more', async () => {
    const uploader = new ResumableUploader(server.url)
    const gone = { size: 10, name: 'gone', slice: () => ({ arrayBuffer: () => Promise.reject(new Error('gone')) }) }
    await expect(uploader.uploadFile(gone)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    const shorter = { size: 10, name: 'shorter', slice: (from: number, to: number) => new Blob(['x']).slice(from, to) }
    await expect(uploader.uploadFile(shorter)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  })
})
