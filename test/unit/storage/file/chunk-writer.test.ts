import { describe, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import { type Fsync, FileStorage } from '../../../../src/storage/file/index.ts'
import { FaultyFiles, MemoryFiles, systemError } from '../../../support/faulty-files.ts'
import {
  chunkOf,
  entryOf,
  gather,
  mustLoad,
  putChunk,
  tailOf,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

async function setUp(fields: Parameters<typeof testManifest>[0] = {}, fsync: Fsync = 'complete') {
  const memory = new MemoryFiles()
  const files = new FaultyFiles(memory)
  const storage = new FileStorage({ directory: '/data', layer: files, fsync })
  await storage.open()
  const manifest = testManifest(fields)
  await storage.create(manifest)
  const upload = await mustLoad(storage, manifest.id)
  return { memory, files, storage, manifest, upload, data: `/data/uploads/${manifest.id}/data` }
}

describe('writing', () => {
  const size = 5 * MIB + 4321
  const bytes = testBytes(size)

  it('gathers small buffers to writes of 1 MiB, two at most under way', async () => {
    const { storage, files, upload, data } = await setUp({ chunkSize: size, size })
    const writer = await storage.beginChunk(upload, 0, 0)
    for (let at = 0; at < size; at += 65_536) await writer.write([bytes.subarray(at, at + 65_536)])
    await writer.finish(entryOf(0, bytes))
    expect(files.count('writev', data)).toBeLessThanOrEqual(7)
    expect((await gather(storage.read(upload, 0, size))).equals(bytes)).toBe(true)
  })

  it('cuts one large buffer into writes of 1 MiB', async () => {
    const { storage, files, upload, data } = await setUp({ chunkSize: size, size })
    const writer = await storage.beginChunk(upload, 0, 0)
    await writer.write([bytes.subarray(0, 100), bytes.subarray(100)])
    await writer.finish(entryOf(0, bytes))
    expect(files.count('writev', data)).toBe(6)
    expect((await gather(storage.read(upload, 0, size))).equals(bytes)).toBe(true)
  })

  it('puts every byte in its place however little the system takes at a time', async () => {
    const { storage, files, upload, memory, data } = await setUp({ size: 3000, chunkSize: 1000 })
    const file = testBytes(3000)
    let most = 0
    files.fault = ({ name, path }) => {
      most = (most % 97) + 1
      return name === 'writev' && path === data ? most : undefined
    }
    await Promise.all([2, 0, 1].map((n) => putChunk(storage, upload, file, n)))
    expect(await memory.readFile(data)).toEqual(file)
  })

  it('touches no byte outside its stretch', async () => {
    const { storage, upload, memory, data } = await setUp()
    const file = testBytes(250)
    const first = await storage.beginChunk(upload, 1, 0)
    await first.write([chunkOf(upload, file, 1).subarray(0, 60)])
    await first.suspend(tailOf(1, chunkOf(upload, file, 1).subarray(0, 60)))
    const before = await memory.readFile(data)
    const writer = await storage.beginChunk(upload, 1, 60)
    await expect(writer.write([Buffer.alloc(41)])).rejects.toThrow('More bytes')
    await writer.write([Buffer.alloc(40, 0xaa)])
    await writer.abort()
    await putChunk(storage, upload, file, 2)
    const after = await memory.readFile(data)
    expect(after.subarray(0, before.length)).toEqual(before)
    expect(after.subarray(200)).toEqual(file.subarray(200))
  })

  it('writes what a slow client sent without waiting for more', async () => {
    const { storage, upload, files } = await setUp({ chunkSize: size, size })
    const writer = await storage.beginChunk(upload, 0, 0)
    const written = new Promise<void>((resolve) => {
      files.fault = ({ name }) => {
        if (name === 'writev') resolve()
        return undefined
      }
    })
    await writer.write([bytes.subarray(0, 1)])
    await written
    await writer.abort()
  })
})

describe('a write that fails', () => {
  it.each([
    ['ENOSPC', 'STORAGE_FULL'],
    ['EDQUOT', 'STORAGE_FULL'],
    ['EIO', 'STORAGE_UNAVAILABLE'],
  ])('with %s is %s, records nothing, and leaves no handle', async (system, code) => {
    const { storage, files, upload, data } = await setUp()
    files.fault = ({ name, path }) => (name === 'writev' && path === data ? systemError(system) : undefined)
    await expect(putChunk(storage, upload, testBytes(250), 0)).rejects.toMatchObject({ code })
    expect(files.openBesidesJournals).toBe(0)
    files.fault = () => undefined
    expect((await mustLoad(storage, upload.manifest.id)).ledger.durableBytes).toBe(0)
    await putChunk(storage, upload, testBytes(250), 0)
    expect((await mustLoad(storage, upload.manifest.id)).ledger.run).toBe(1)
  })

  it('fails the writes after it, and the writer can be aborted', async () => {
    const { storage, files, upload, data } = await setUp({ chunkSize: 4 * MIB, size: 4 * MIB })
    files.fault = ({ name, path }) => (name === 'writev' && path === data ? systemError('ENOSPC') : undefined)
    const writer = await storage.beginChunk(upload, 0, 0)
    const first = writer.write([Buffer.alloc(3 * MIB)])
    await expect(first).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    await expect(writer.write([Buffer.alloc(1)])).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    await writer.abort()
    expect(files.openBesidesJournals).toBe(0)
  })

  it('is told also where the file cannot be opened or the journal not be written', async () => {
    const { storage, files, upload } = await setUp()
    files.fault = ({ name, path }) => (name === 'open' && path.endsWith('/data') ? systemError('EMFILE') : undefined)
    await expect(putChunk(storage, upload, testBytes(250), 0)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    files.fault = ({ name, path }) =>
      name === 'writev' && path.endsWith('journal') ? systemError('ENOSPC') : undefined
    await expect(putChunk(storage, upload, testBytes(250), 0)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    expect(files.openBesidesJournals).toBe(0)
  })
})

describe('ends of a writer', () => {
  it('shares one open file among those who write an upload', async () => {
    const { storage, files, upload, data } = await setUp({ chunkSize: 2 * MIB, size: 6 * MIB })
    const file = testBytes(6 * MIB)
    const writers = await Promise.all([0, 1, 2].map((n) => storage.beginChunk(upload, n, 0)))
    await Promise.all(writers.map((writer, n) => writer.write([chunkOf(upload, file, n)])))
    await Promise.all(writers.map((writer, n) => writer.finish(entryOf(n, chunkOf(upload, file, n)))))
    expect(files.count('open', data)).toBe(1)
    expect(files.openBesidesJournals).toBe(0)
    expect((await gather(storage.read(upload, 0, 6 * MIB))).equals(file)).toBe(true)
  })

  it('resolves an abort only when the writes under way have settled', async () => {
    const { storage, memory, upload, data } = await setUp({ chunkSize: 4 * MIB, size: 4 * MIB })
    const order: string[] = []
    let letThrough = () => {}
    const gate = new Promise<void>((resolve) => {
      letThrough = resolve
    })
    const open = memory.open.bind(memory)
    memory.open = async (path, flags) => {
      const handle = await open(path, flags)
      if (path !== data) return handle
      return {
        ...handle,
        writev: async (buffers, position) => {
          await gate
          order.push('written')
          return await handle.writev(buffers, position)
        },
      }
    }
    const writer = await storage.beginChunk(upload, 0, 0)
    await writer.write([Buffer.alloc(MIB)])
    const aborted = writer.abort().then(() => order.push('aborted'))
    setImmediate(() => letThrough())
    await aborted
    expect(order).toEqual(['written', 'aborted'])
  })

  it('can change nothing when the storage has closed', async () => {
    const { storage, memory, upload, data, files } = await setUp()
    const begun = await storage.beginChunk(upload, 0, 0)
    await begun.write([testBytes(100)])
    await storage.close()
    await expect(begun.finish(entryOf(0, testBytes(100)))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(memory.stat(data)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(files.openBesidesJournals).toBe(0)
    await begun.abort()
  })

  it('records nothing when the storage has closed after its last write', async () => {
    const { storage, memory, upload, data } = await setUp({ chunkSize: MIB, size: MIB })
    const bytes = testBytes(MIB)
    const writer = await storage.beginChunk(upload, 0, 0)
    await writer.write([bytes])
    await storage.close()
    expect((await memory.stat(data)).size).toBe(MIB)
    await expect(writer.finish(entryOf(0, bytes))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    const next = new FileStorage({ directory: '/data', layer: memory })
    await next.open()
    expect((await mustLoad(next, upload.manifest.id)).ledger.durableBytes).toBe(0)
  })

  it('aborts with writes under way', async () => {
    const { storage, files, upload } = await setUp({ chunkSize: 4 * MIB, size: 4 * MIB })
    const writer = await storage.beginChunk(upload, 0, 0)
    const writing = writer.write([Buffer.alloc(3 * MIB)])
    await writer.abort()
    expect(files.openBesidesJournals).toBe(0)
    await writing
    await expect(writer.write([Buffer.alloc(1)])).rejects.toThrow('ended')
    await expect(writer.finish(entryOf(0, Buffer.alloc(4 * MIB)))).rejects.toThrow('ended')
  })

  it('refuses to record what was not given', async () => {
    const { storage, upload } = await setUp()
    const file = testBytes(250)
    const writer = await storage.beginChunk(upload, 0, 0)
    await writer.write([file.subarray(0, 10)])
    await expect(writer.finish(entryOf(0, file.subarray(0, 100)))).rejects.toThrow('10 of 100')
    await expect(writer.suspend(tailOf(0, file.subarray(0, 11)))).rejects.toThrow('10 of 100')
    await expect(writer.suspend(tailOf(1, file.subarray(0, 10)))).rejects.toThrow('chunk 1')
    await expect(writer.suspend(tailOf(0, file.subarray(0, 100)))).rejects.toThrow('whole chunk')
    await writer.suspend(tailOf(0, file.subarray(0, 10)))
    for (const from of [-1, 100, 0.5]) await expect(storage.beginChunk(upload, 0, from)).rejects.toThrow('from')
  })

  it('is refused where the upload is not, or no longer', async () => {
    const { storage, upload, files } = await setUp()
    await storage.forget(upload.manifest.id)
    await expect(putChunk(storage, upload, testBytes(250), 0)).rejects.toMatchObject({ code: 'UPLOAD_NOT_FOUND' })
    await expect(storage.record(upload.manifest.id, { type: 'completing' })).rejects.toMatchObject({
      code: 'UPLOAD_NOT_FOUND',
    })
    expect(files.openHandles).toBe(0)
  })

  it('syncs bytes before the journal with fsync chunk, and nothing with the others', async () => {
    const synced = async (fsync: Fsync) => {
      const { storage, files, upload } = await setUp({}, fsync)
      const before = files.operations.length
      await putChunk(storage, upload, testBytes(250), 0)
      const names = files.operations.slice(before).filter(({ name }) => name === 'datasync')
      return names.map(({ path }) => path.slice(path.lastIndexOf('/') + 1))
    }
    expect(await synced('chunk')).toEqual(['data', 'journal'])
    expect(await synced('complete')).toEqual([])
    expect(await synced('off')).toEqual([])
  })
})
