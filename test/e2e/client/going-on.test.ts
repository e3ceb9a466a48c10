import { File } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ResumableUploader, type UploadProgress, type UploadTask } from '../../../adapters/client/index.ts'
import { CHUNK, useServer } from '../../protocol/tus/running-server.ts'
import { sha256 } from '../../support/json-client.ts'
import { MemoryStorage } from '../../support/memory-storage.ts'
import { type FetchHooks, WatchedFetch } from '../../support/watched-fetch.ts'

const bytes = randomBytes(12 * CHUNK)
const film = new File([bytes], 'film.mp4', { lastModified: 5 })
const all = Array.from({ length: 12 }, (_, n) => n)
const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)

describe('An upload', () => {
  const server = useServer()

  /** One page of a browser, so to speak. */
  function page(storage: MemoryStorage | null, hooks: FetchHooks = {}, parallel = 3) {
    const watched = new WatchedFetch(hooks)
    return { watched, uploader: new ResumableUploader(server.url, { fetch: watched.fetch, storage, parallel }) }
  }

  /** Uploads until so many chunks are there, and goes away. */
  async function begin(storage: MemoryStorage, chunks: number, parallel = 3): Promise<number[]> {
    const leave = new AbortController()
    const { watched, uploader } = page(
      storage,
      {
        after: () => {
          if (watched.stored.length >= chunks) leave.abort(new Error('the page is gone'))
        },
      },
      parallel,
    )
    await expect(uploader.uploadFile(film, {}, { signal: leave.signal })).rejects.toThrow('the page is gone')
    return watched.stored
  }

  it('goes on after it was stopped, in another page, with nothing but what is missing', async () => {
    const storage = new MemoryStorage()
    const before = await begin(storage, 5)
    const { watched, uploader } = page(storage)
    const [remembered] = await uploader.remembered()
    expect(remembered).toMatchObject({ fileName: 'film.mp4', fileSize: bytes.length, totalChunks: 12 })
    const told: UploadProgress[] = []
    uploader.onProgress = (progress) => void told.push(progress)
    await expect(uploader.uploadFile(film)).resolves.toMatchObject({ checksum: sha256(bytes) })
    // What was on its way when the page went may have come, too.
    const checked = told.find(({ state }) => state === 'checking')
    expect(checked?.chunksUploaded).toBeGreaterThanOrEqual(5)
    expect(watched.stored).toHaveLength(12 - (checked?.chunksUploaded ?? 0))
    expect(watched.stored.filter((number) => before.includes(number))).toEqual([])
    expect(watched.calls).toEqual(['resume', 'complete'])
    expect(storage.entries.size).toBe(0)
  })

  it('never sends the same chunk again whose answer was lost', async () => {
    const storage = new MemoryStorage()
    const leave = new AbortController()
    const first = page(storage, {
      after: ({ chunk }) => {
        if (chunk !== 0) return
        leave.abort(new Error('gone'))
        throw new Error('the answer is lost')
      },
    })
    await expect(first.uploader.uploadFile(film, {}, { signal: leave.signal })).rejects.toThrow('gone')
    const second = page(storage)
    await expect(second.uploader.uploadFile(film)).resolves.toMatchObject({ checksum: sha256(bytes) })
    expect(second.watched.stored).not.toContain(0)
  })

  it('begins anew where the file is another one, and keeps nothing of the first', async () => {
    const storage = new MemoryStorage()
    await begin(storage, 5)
    // One byte of one chunk: what of a file is known without reading it is the same.
    for (const at of [0, 2 * CHUNK]) {
      const edited = Buffer.from(bytes)
      edited[at] = (edited[at] ?? 0) ^ 1
      const copy = new MemoryStorage()
      for (const [key, value] of storage.entries) copy.set(key, value)
      const other = page(copy)
      const file = await other.uploader.uploadFile(new File([edited], 'film.mp4', { lastModified: 5 }))
      expect(file.checksum).toBe(sha256(edited))
      expect(other.watched.calls).toEqual(['resume', 'initiate', 'complete'])
    }
  })

  it('asks the server to compare what is not remembered', async () => {
    const storage = new MemoryStorage()
    // One at a time: nothing is on its way when the page goes, and what is there is known.
    const there = await begin(storage, 5, 1)
    const [{ id } = { id: '' }] = await page(storage).uploader.remembered()
    const edited = Buffer.from(bytes)
    edited[0] = (edited[0] ?? 0) ^ 1

    const other = page(null).uploader.uploadFile(new File([edited], 'x'), {}, { resume: { id } })
    await expect(other).rejects.toMatchObject({ code: 'CHUNK_CONFLICT', status: 409 })
    const shorter = page(null).uploader.uploadFile(new File(['x'], 'x'), {}, { resume: { id } })
    await expect(shorter).rejects.toMatchObject({ code: 'CHUNK_CONFLICT', status: null })

    const { watched, uploader } = page(null)
    const file = await uploader.uploadFile(film, {}, { resume: { id } })
    expect(file.checksum).toBe(sha256(bytes))
    // The first and the last of those that are there were sent once more.
    const again = watched.stored.filter((number) => there.includes(number))
    expect(again).toEqual([there.at(0), there.at(-1)])
    expect(watched.stored).toHaveLength(12 - there.length + 2)
  })

  it('is paused and gone on with', async () => {
    const { watched, uploader } = page(null)
    const states: string[] = []
    uploader.onProgress = ({ state }) => void states.push(state)
    const task = await pausedAt(uploader, 4)
    const paused = watched.requests.length
    expect(task.progress).toMatchObject({ state: 'paused', status: 'uploading' })
    await expect(uploader.getProgress(task.progress.sessionId ?? '')).resolves.toMatchObject({ status: 'uploading' })
    expect(watched.requests.length).toBe(paused + 1)
    task.resume()
    await expect(task.done).resolves.toMatchObject({ checksum: sha256(bytes) })
    expect(watched.stored).toHaveLength(new Set(watched.stored).size)
    expect(states).toContain('paused')
    expect(watched.calls).toEqual(['initiate', 'progress', 'resume', 'complete'])
  })

  it('is paused before it has begun, and while it is being completed', async () => {
    const { watched, uploader } = page(null, {
      before: ({ call }) => {
        if (call === 'complete' && !watched.calls.includes('resume')) task.pause()
      },
    })
    const task = uploader.start(film)
    task.pause()
    await Promise.resolve()
    expect(watched.requests).toEqual([])
    uploader.resume()
    await expect.poll(() => task.paused).toBe(true)
    uploader.resume()
    await expect(task.done).resolves.toMatchObject({ checksum: sha256(bytes) })
    expect(sorted(watched.stored)).toEqual(all)
    expect(watched.calls).toEqual(['initiate', 'complete', 'resume', 'complete'])
  })

  it('is cancelled, on the server too', async () => {
    const storage = new MemoryStorage()
    const { uploader } = page(storage)
    const task = await pausedAt(uploader, 4)
    const { sessionId } = task.progress
    await uploader.cancel()
    await expect(task.done).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(uploader.getProgress(sessionId ?? '')).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED' })
    expect(storage.entries.size).toBe(0)
  })

  it('is discarded without its file', async () => {
    const storage = new MemoryStorage()
    await begin(storage, 3)
    const { uploader } = page(storage)
    for (const upload of await uploader.remembered()) await uploader.discard(upload)
    expect(storage.entries.size).toBe(0)
    await expect(uploader.remembered()).resolves.toEqual([])
  })

  it('ends where somebody else cancels it, and begins anew where it was cancelled before', async () => {
    const storage = new MemoryStorage()
    const { uploader } = page(storage)
    const task = await pausedAt(uploader, 4)
    await uploader.cancelUpload(task.progress.sessionId ?? '')
    task.resume()
    await expect(task.done).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED', status: 410 })
    const next = page(storage)
    await expect(next.uploader.uploadFile(film)).resolves.toMatchObject({ checksum: sha256(bytes) })
    expect(next.watched.calls).toEqual(['resume', 'initiate', 'complete'])
  })

  it('is told the file again whose answer was lost', async () => {
    const storage = new MemoryStorage()
    const leave = new AbortController()
    const first = page(storage, {
      after: ({ call }) => {
        if (call === 'complete') leave.abort(new Error('gone'))
      },
    })
    await expect(first.uploader.uploadFile(film, {}, { signal: leave.signal })).rejects.toThrow('gone')
    const second = page(storage)
    await expect(second.uploader.uploadFile(film)).resolves.toMatchObject({ checksum: sha256(bytes) })
    expect(second.watched.stored).toEqual([])
    expect(second.watched.calls).toEqual(['resume', 'complete'])
  })
})

/** An upload of the film that was paused when so many chunks were there. */
async function pausedAt(uploader: ResumableUploader, chunks: number): Promise<UploadTask> {
  return new Promise((resolve) => {
    const task = uploader.start(film, {
      onProgress: ({ state, chunksUploaded }) => {
        if (state !== 'uploading' || chunksUploaded < chunks || paused) return
        paused = true
        task.pause()
        resolve(task)
      },
    })
    let paused = false
  })
}
