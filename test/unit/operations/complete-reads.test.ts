import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { createUploads, MemoryState } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { FaultyFiles } from '../../support/faulty-files.ts'
import { tempDir } from '../../support/temp-dir.ts'

it('the record of a file of one chunk is not read by who completes it, and is the same for who asks again', async () => {
  const files = new FaultyFiles()
  const storage = new FileStorage({ directory: await tempDir(), layer: files, fsync: 'off' })
  const uploads = createUploads({ storage, state: new MemoryState() })
  await uploads.open()
  const caller = { principal: null }
  const { manifest } = await uploads.create({ fileName: 'a.txt', fileSize: 5 }, caller)
  const body = Readable.from([Buffer.from('hello')])
  await uploads.putChunk(manifest.id, { number: 0, body, contentLength: 5 }, caller)
  const completed = await uploads.complete(manifest.id, {}, caller)
  expect(files.count('readFile', `${manifest.fileId}.json`)).toBe(0)
  await expect(uploads.complete(manifest.id, {}, caller)).resolves.toEqual(completed)
  expect(files.count('readFile', `${manifest.fileId}.json`)).toBe(1)
  await uploads.close()
})
