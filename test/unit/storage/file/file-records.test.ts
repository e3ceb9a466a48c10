import { describe, expect, it } from 'vitest'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { FaultyFiles, MemoryFiles, systemError } from '../../../support/faulty-files.ts'
import { aFile } from '../../../support/file-samples.ts'
import { mustLoad, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'

it('a first record that a full disk or a kill has torn is none, and is written anew with whoever is owed', async () => {
  const memory = new MemoryFiles()
  const files = new FaultyFiles(memory)
  const storage = new FileStorage({ directory: '/data', layer: files })
  await storage.open()
  const { manifest } = await storeAll(storage, testManifest(), testBytes(250))
  const file = aFile({ id: manifest.fileId, uploadId: manifest.id })
  await storage.record(manifest.id, { type: 'completing' })
  await storage.assemble(await mustLoad(storage, manifest.id))
  let written = 0
  files.fault = ({ name, path }) => {
    if (name !== 'writev' || !path.endsWith(`${file.id}.json`)) return undefined
    written += 1
    return written === 1 ? 40 : systemError('ENOSPC')
  }
  await expect(storage.files.put(file, ['webhook'])).rejects.toMatchObject({ code: 'STORAGE_FULL' })
  expect((await memory.stat(`/data/files/${file.id}.json`)).size).toBe(40)
  files.fault = () => undefined
  const next = new FileStorage({ directory: '/data', layer: memory.kill() })
  await next.open()
  for (const each of [storage, next]) {
    expect(await each.files.get(file.id)).toBeNull()
    expect(await each.files.owed(file.id)).toBeNull()
  }
  for (const each of [storage, next]) {
    await each.files.put(file, ['webhook'])
    expect(await each.files.owed(file.id)).toEqual({ file, receivers: ['webhook'] })
  }
  expect(await memory.readdir('/data/files')).toEqual(expect.arrayContaining([file.id, `${file.id}.json`]))
})

describe('a record that was just written', () => {
  async function setUp() {
    const files = new FaultyFiles(new MemoryFiles())
    const storage = new FileStorage({ directory: '/data', layer: files })
    await storage.open()
    const { manifest } = await storeAll(storage, testManifest(), testBytes(250))
    const file = aFile({ id: manifest.fileId, uploadId: manifest.id })
    const reads = () => files.count('readFile', `${file.id}.json`)
    return { files, storage, manifest, file, reads }
  }

  it('is not read to be told', async () => {
    const { storage, file, reads } = await setUp()
    await storage.files.put(file)
    const before = reads()
    expect(storage.files.remembers(file.id)).toBe(true)
    expect(await storage.files.get(file.id)).toEqual(file)
    await storage.files.put({ ...file, checksum: 'ab' })
    expect(await storage.files.get(file.id)).toEqual({ ...file, checksum: 'ab' })
    // Once, for what is owed: whoever changes a record begins with what stands.
    expect(reads() - before).toBe(1)
  })

  it('is read where the last change of it failed', async () => {
    const { files, storage, file } = await setUp()
    await storage.files.put(file)
    files.fault = ({ name }) => (name === 'rename' ? systemError('EIO') : undefined)
    await expect(storage.files.put({ ...file, checksum: 'ab' })).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    files.fault = () => undefined
    expect(storage.files.remembers(file.id)).toBe(false)
    expect(await storage.files.get(file.id)).toEqual(file)
  })

  it('is gone when it is removed, with its upload or without, also while it is being written', async () => {
    const { files, storage, manifest, file } = await setUp()
    await storage.files.put(file)
    await storage.files.remove(file.id)
    expect(await storage.files.get(file.id)).toBeNull()

    await storage.files.put(file)
    await storage.record(manifest.id, { type: 'ended', status: 'cancelled', at: 1 })
    await storage.discard(await mustLoad(storage, manifest.id))
    expect(await storage.files.get(file.id)).toBeNull()

    let removed = Promise.resolve()
    files.fault = ({ name }) => {
      if (name === 'rename') removed = storage.files.remove(file.id)
      return undefined
    }
    await storage.files.put(file)
    await removed
    expect(storage.files.remembers(file.id)).toBe(false)
  })

  it('is not told by a storage that has closed', async () => {
    const { storage, file } = await setUp()
    await storage.files.put(file)
    await storage.close()
    await expect(storage.files.get(file.id)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  })
})
