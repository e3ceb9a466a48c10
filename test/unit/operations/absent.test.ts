import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { createUploads, MemoryState, type Caller, type Uploads } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { FaultyFiles } from '../../support/faulty-files.ts'
import { tempDir } from '../../support/temp-dir.ts'

const ANN: Caller = { principal: { id: 'ann' } }
const EVE: Caller = { principal: { id: 'eve' } }

interface Ids {
  readonly id: string
  readonly fileId: string
}

const CALLS: Readonly<Record<string, (uploads: Uploads, ids: Ids) => Promise<unknown>>> = {
  find: (uploads, { id }) => uploads.find(id, EVE),
  settle: (uploads, { id }) => uploads.settle(id, EVE),
  progress: (uploads, { id }) => uploads.progress(id, EVE),
  watch: (uploads, { id }) => uploads.watch(id, EVE),
  append: (uploads, { id }) => uploads.append(id, { offset: 0, body: body(), contentLength: 5 }, EVE),
  putChunk: (uploads, { id }) => uploads.putChunk(id, { number: 0, body: body(), contentLength: 5 }, EVE),
  resume: (uploads, { id }) => uploads.resume(id, EVE),
  complete: (uploads, { id }) => uploads.complete(id, {}, EVE),
  cancel: (uploads, { id }) => uploads.cancel(id, EVE),
  terminate: (uploads, { id }) => uploads.terminate(id, EVE),
  download: (uploads, { id }) => uploads.download(id, EVE),
  file: (uploads, { fileId }) => uploads.file(fileId, EVE),
  downloadFile: (uploads, { fileId }) => uploads.downloadFile(fileId, EVE),
  removeFile: (uploads, { fileId }) => uploads.removeFile(fileId, EVE),
}

function body(): Readable {
  return Readable.from([Buffer.from('hello')])
}

/** The thing, and every call on it and on the parts of it that are named, in the order they are begun. */
function counted<T extends object>(name: string, thing: T, asked: string[], parts: readonly (keyof T)[] = []): T {
  return new Proxy(thing, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key)
      if (typeof value === 'function') {
        return (...args: unknown[]) => {
          asked.push(`${name}.${String(key)}`)
          return value.apply(target, args) as unknown
        }
      }
      const isPart = parts.some((part) => part === key) && typeof value === 'object' && value !== null
      return isPart ? counted(`${name}.${String(key)}`, value, asked) : value
    },
  })
}

it.each(Object.entries(CALLS))(
  '%s asks storage and state the same for another’s upload as for none',
  async (name, call) => {
    const asked: string[] = []
    const files = new FaultyFiles()
    const storage = counted('storage', new FileStorage({ directory: await tempDir(), layer: files }), asked, ['files'])
    const uploads = createUploads({ storage, state: counted('state', new MemoryState(), asked, ['locks']) })
    await uploads.open()
    onTestFinished(() => uploads.close())

    const begun = await uploads.create({ fileName: 'a', fileSize: 5 }, ANN)
    const done = await uploads.create({ fileName: 'a', fileSize: 5 }, ANN)
    await uploads.putChunk(done.manifest.id, { number: 0, body: body(), contentLength: 5 }, ANN)
    await uploads.complete(done.manifest.id, {}, ANN)

    const costs: (readonly string[])[] = []
    const calls: (readonly string[])[] = []
    for (const ids of [{ id: randomUUID(), fileId: randomUUID() }, begun.manifest, done.manifest]) {
      asked.length = 0
      const before = files.operations.length
      await expect(call(uploads, ids)).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:UPLOAD|FILE)_NOT_FOUND$/),
      })
      costs.push([...asked])
      calls.push(files.operations.slice(before).map((operation) => operation.name))
    }
    const [ofNone = [], ofBegun = [], ofDone = []] = costs
    expect(ofNone.length).toBeGreaterThan(0)
    // What this process has seen is found first in its memory, where the state is Redis: see requests.test.ts.
    const inMemory = name === 'putChunk' ? 1 : 0
    expect(ofBegun.slice(inMemory)).toEqual(ofNone)
    if (ofNone[0] === 'storage.files.remembers') {
      // The record that was just written is in memory, too: one is asked for that there is none of.
      expect(ofDone).toEqual([...ofNone, 'storage.files.get'])
    } else {
      expect(ofDone.slice(inMemory)).toEqual(ofNone)
    }
    expect(calls).toEqual([calls[0], calls[0], calls[0]])
  },
)
