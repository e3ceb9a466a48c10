import { describe, expect, it } from 'vitest'
import { UploadMemory, type RememberedUpload } from '../../../../adapters/client/memory.ts'
import { webStorage } from '../../../../adapters/client/web-storage.ts'

const API = 'http://127.0.0.1:1080/api/v1/uploads'
const upload: RememberedUpload = {
  id: 'an-id',
  uploadToken: null,
  fileId: 'a-file',
  fileName: 'ä|b.bin',
  fileSize: 10,
  chunkSize: 4,
  totalChunks: 3,
  api: API,
  startedAt: '2026-11-28T09:30:00.000Z',
  sums: { 0: 'ab' },
}
const KEY = UploadMemory.keyOf(API, { name: 'ä|b.bin', size: 10, lastModified: 5 })

/** As much of Web Storage as a page has. */
function fakeStorage(entries = new Map<string, string>()) {
  return {
    entries,
    storage: webStorage({
      get length() {
        return entries.size
      },
      key: (index) => [...entries.keys()][index] ?? null,
      getItem: (key) => entries.get(key) ?? null,
      setItem: (key, value) => void entries.set(key, value),
      removeItem: (key) => void entries.delete(key),
    }),
  }
}

describe('what an uploader remembers', () => {
  it('is found again by the same file and server, and by no other', async () => {
    const memory = new UploadMemory(fakeStorage().storage)
    await memory.save(KEY, upload)
    await expect(memory.load(KEY)).resolves.toEqual(upload)
    await expect(memory.list(API)).resolves.toEqual([{ ...upload, key: KEY }])
    await expect(memory.list(`${API}2`)).resolves.toEqual([])
    const facts = { name: 'ä|b.bin', size: 10, lastModified: 5 }
    const others = [
      UploadMemory.keyOf(`${API}2`, facts),
      UploadMemory.keyOf(API, { ...facts, name: 'ä' }),
      UploadMemory.keyOf(API, { ...facts, size: 11 }),
      UploadMemory.keyOf(API, { ...facts, lastModified: 6 }),
    ]
    for (const other of others) await expect(memory.load(other)).resolves.toBeNull()
    await memory.forget(KEY)
    await expect(memory.list(API)).resolves.toEqual([])
  })

  it.each([
    ['no JSON', '{'],
    ['null', 'null'],
    ['without an id', JSON.stringify({ ...upload, id: 7 })],
    ['without chunks', JSON.stringify({ ...upload, chunkSize: 0 })],
    ['without sums', JSON.stringify({ ...upload, sums: null })],
  ])('is nothing where somebody else has written: %s', async (_, text) => {
    const memory = new UploadMemory(fakeStorage(new Map([[KEY, text]])).storage)
    await expect(memory.load(KEY)).resolves.toBeNull()
    await expect(memory.list(API)).resolves.toEqual([])
  })

  it('may fail: an upload does not depend on it', async () => {
    const fail = (): never => {
      throw new DOMException('the quota is used up', 'QuotaExceededError')
    }
    const memory = new UploadMemory({ get: fail, set: fail, delete: fail, keys: fail })
    await memory.save(KEY, upload)
    await memory.forget(KEY)
    await expect(memory.load(KEY)).resolves.toBeNull()
    await expect(memory.list(API)).resolves.toEqual([])
  })
})
