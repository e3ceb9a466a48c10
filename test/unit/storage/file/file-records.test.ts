import { expect, it } from 'vitest'
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
