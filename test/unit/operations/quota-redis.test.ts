import { expect, it, onTestFinished } from 'vitest'
import { createUploads, type Uploads } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { RedisState } from '../../../src/state/redis/index.ts'
import { describeWithRedis } from '../../support/services/redis.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { aClient, ownPrefix } from '../state/redis/redis-nodes.ts'

const ALICE = { principal: { id: 'alice' } } as const

describeWithRedis('what a user has unfinished, in Redis', () => {
  const prefix = ownPrefix()

  /** Forgets all that Redis knows of these uploads. */
  async function flush(): Promise<void> {
    const redis = aClient()
    const keys = await redis.keys(`${prefix}*`)
    if (keys.length > 0) await redis.del(...keys)
  }

  async function open(): Promise<Uploads> {
    const uploads = createUploads({
      storage: new FileStorage({ directory: await tempDir() }),
      state: new RedisState({ redis: aClient(), prefix }),
      maxUploadsPerUser: 3,
      maxBytesPerUser: 30,
    })
    await uploads.open()
    onTestFinished(async () => {
      await uploads.close()
      await flush()
    })
    return uploads
  }

  const begin = async (uploads: Uploads, fileSize: number) =>
    (await uploads.create({ fileName: 'a', fileSize }, ALICE)).manifest.id
  const ids = async (uploads: Uploads) => (await uploads.list({}, ALICE)).items.map(({ upload }) => upload.manifest.id)

  it('is right at once after Redis was emptied', async () => {
    const uploads = await open()
    const begun: string[] = []
    for (let i = 0; i < 3; i += 1) begun.push(await begin(uploads, 10))
    await flush()
    await expect(begin(uploads, 1)).rejects.toMatchObject({ details: { of: 'uploads', limit: 3, used: 3 } })
    await flush()
    expect((await ids(uploads)).toSorted()).toEqual(begun.toSorted())
    await uploads.cancel(begun[0] ?? '', ALICE)
    await flush()
    await expect(begin(uploads, 11)).rejects.toMatchObject({ details: { of: 'bytes', limit: 30, used: 20 } })
    await begin(uploads, 10)
  })

  it('is given back when an upload ends, though Redis was emptied in between', async () => {
    const uploads = await open()
    const id = await begin(uploads, 30)
    await flush()
    await uploads.cancel(id, ALICE)
    await begin(uploads, 30)
    expect(await ids(uploads)).toHaveLength(1)
  })
})
