import { randomUUID } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { tempDir } from '../../../support/temp-dir.ts'

it('sweeps claims by the time at which they were made, to the millisecond', async () => {
  const storage = new FileStorage({ directory: await tempDir() })
  await storage.open()
  onTestFinished(() => storage.close())
  const claimOf = (at: number) => ({ id: randomUUID(), fingerprint: 'print', at })
  const young = claimOf(200)
  await storage.claim('old', claimOf(149), 0)
  await storage.claim('young', young, 0)
  await storage.sweep(150)
  const next = claimOf(300)
  expect(await storage.claim('old', next, 0)).toEqual(next)
  expect(await storage.claim('young', next, 0)).toEqual(young)
})
