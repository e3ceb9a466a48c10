import { expect, it, onTestFinished, vi } from 'vitest'
import { createUploads, MemoryState, UploadError } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import type { RecordedChange } from '../../../src/storage/storage.ts'
import { turn } from '../../support/digest-source.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { CALLER, chunk, create, put } from './opened-uploads.ts'

/** The end cannot be recorded while the digest is on its way. */
class FailingEnds extends FileStorage {
  readonly begun: RecordedChange['type'][] = []
  write = (): void => {}
  readonly #written = new Promise<void>((resolve) => (this.write = resolve))
  fails = true

  override async record(id: string, change: RecordedChange): Promise<void> {
    this.begun.push(change.type)
    if (change.type === 'digest') await this.#written
    if (change.type === 'ended' && this.fails) throw new UploadError('STORAGE_UNAVAILABLE')
    return super.record(id, change)
  }
}

it('a completion keeps its lock until both of its last records have settled, also where one has failed', async () => {
  const storage = new FailingEnds({ directory: await tempDir() })
  const uploads = createUploads({ storage, state: new MemoryState(), chunkSize: chunk(0).length, lockWaitMs: 20 })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const id = await create(uploads, 2 * chunk(0).length)
  await put(uploads, id, 0)
  await put(uploads, id, 1)

  const refused = expect(uploads.complete(id, { waitMs: 0 }, CALLER)).rejects.toThrow(UploadError)
  while (storage.begun.length < 3) await turn()
  await turn()
  // Whoever wants the lock meanwhile does not get it.
  await expect(uploads.terminate(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
  expect(storage.begun.toSorted()).toEqual(['completing', 'digest', 'ended'])
  storage.fails = false
  storage.write()
  await refused
  await vi.waitFor(() => uploads.complete(id, {}, CALLER))
  expect(await uploads.find(id, CALLER)).toMatchObject({ status: 'uploaded' })
})
