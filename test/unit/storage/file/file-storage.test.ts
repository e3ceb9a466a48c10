import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { describeStorage } from '../../../support/storage-suite.ts'

for (const fsync of ['complete', 'chunk', 'off'] as const) {
  describeStorage(`FileStorage with fsync ${fsync}`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-'))
    const open = async () => {
      const storage = new FileStorage({ directory, fsync, ownerWaitMs: 0 })
      await storage.open()
      return storage
    }
    return {
      storage: await open(),
      reopen: open,
      remove: () => rm(directory, { recursive: true }),
    }
  })
}
