import { File } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ResumableUploader } from '../../../adapters/client/index.ts'
import { CHUNK, useServer } from '../../protocol/tus/running-server.ts'
import { sha256 } from '../../support/json-client.ts'
import { MemoryStorage } from '../../support/memory-storage.ts'
import { WatchedFetch } from '../../support/watched-fetch.ts'

const bytes = randomBytes(6 * CHUNK)
const film = new File([bytes], 'film.mp4', { lastModified: 5 })
const KEY = 'k'.repeat(32)

describe('On a server where one has to log in', () => {
  const server = useServer({ AUTH: 'api-key', API_KEYS: `ann:${KEY}` })

  it('logs in once, and goes on with the token of the upload, also in another page', async () => {
    const storage = new MemoryStorage()
    const leave = new AbortController()
    const watched = new WatchedFetch({
      after: () => {
        if (watched.stored.length === 2) leave.abort(new Error('gone'))
      },
    })
    const options = { fetch: watched.fetch, storage, headers: { 'X-Requested-With': 'page' } }
    const first = new ResumableUploader(server.url, { ...options, getToken: async () => KEY })
    await expect(first.uploadFile(film, {}, { signal: leave.signal })).rejects.toThrow('gone')
    await expect(first.listUploads({ limit: 5 })).resolves.toMatchObject({ items: [{ fileName: 'film.mp4' }] })

    // The login has ended meanwhile.
    const second = new ResumableUploader(server.url, { ...options, getToken: () => null })
    await expect(second.uploadFile(film)).resolves.toMatchObject({ checksum: sha256(bytes) })
    const bearers = watched.requests.map(({ call, headers }) => [call, headers.get('Authorization')])
    for (const [call, bearer] of bearers) {
      if (call === 'initiate' || call === 'GET') expect(bearer).toBe(`Bearer ${KEY}`)
      else expect(bearer, call ?? '').toMatch(/^Bearer hfu1_/)
    }
    for (const { headers } of watched.requests) expect(headers.get('X-Requested-With')).toBe('page')
  })

  it('says that one has to', async () => {
    const uploader = new ResumableUploader(server.url)
    await expect(uploader.uploadFile(film)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 401 })
    await expect(uploader.listUploads()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('logs in again where the token of an upload is not taken any more', async () => {
    const uploader = new ResumableUploader(server.url, { headers: async () => ({}), getToken: () => KEY })
    const { id } = await uploader.initiateUpload(film)
    const file = await uploader.uploadFile(film, {}, { resume: { id, uploadToken: `hfu1_${'x'.repeat(43)}` } })
    expect(file.checksum).toBe(sha256(bytes))
  })
})

describe('On a server where uploads expire soon', () => {
  const server = useServer({ EXPIRES_AFTER: '1s' })

  it('an upload that expired while it was paused begins anew', async () => {
    const watched = new WatchedFetch()
    const uploader = new ResumableUploader(server.url, { fetch: watched.fetch })
    const task = uploader.start(film, {
      onProgress: ({ state }) => {
        if (state === 'uploading' && watched.stored.length === 2) task.pause()
      },
    })
    await expect.poll(() => task.paused).toBe(true)
    const { sessionId } = task.progress
    const url = `${server.url}/api/v1/uploads/${sessionId}`
    await expect.poll(async () => (await fetch(url)).status, { timeout: 10_000, interval: 100 }).toBe(410)
    expect(watched.calls).toEqual(['initiate'])
    task.resume()
    await expect(task.done).resolves.toMatchObject({ checksum: sha256(bytes) })
    expect(task.progress.sessionId).not.toBe(sessionId)
    expect(watched.calls).toEqual(['initiate', 'resume', 'initiate', 'complete'])
  })
})
