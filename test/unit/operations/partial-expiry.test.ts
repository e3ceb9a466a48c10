import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createUploads, MemoryState, type Uploads } from '../../../src/index.ts'
import { RedisState } from '../../../src/state/redis/index.ts'
import type { State } from '../../../src/state/state.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { describeWithRedis } from '../../support/services/redis.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { aClient, ownPrefix } from '../state/redis/redis-nodes.ts'
import { CALLER, HeldFiles, isData, isJournal, outcomeOf } from './opened-uploads.ts'

const EXPIRED = { code: 'UPLOAD_EXPIRED', status: 410 }
/** Long enough for the sweeper to stay away: the requests of a test are all that carry the expiry out. */
const HOUR = 3_600_000

/** A part of files to come that is whole, and whose time is over; what is done about it, in order. */
async function openWithPart(state: State) {
  const clock = { now: Date.now() }
  const files = new HeldFiles()
  const storage = new FileStorage({ directory: await tempDir(), layer: files })
  const uploads: Uploads = createUploads({ storage, state, now: () => clock.now, expiresAfterMs: HOUR })
  await uploads.open()
  onTestFinished(async () => {
    files.release()
    await uploads.close()
  })
  const { manifest } = await uploads.create({ fileName: 'a', fileSize: 5, partial: true }, CALLER)
  const body = Readable.from([Buffer.from('hello')])
  await uploads.append(manifest.id, { offset: 0, body, contentLength: 5 }, CALLER)
  expect((await uploads.settle(manifest.id, CALLER)).upload.status).toBe('uploaded')

  const done: string[] = []
  files.plan = ({ name, path }) => {
    if (name === 'writev' && isJournal(path)) done.push('recorded')
    if (name === 'unlink' && isData(path)) done.push('deleted')
    return null
  }
  const commit = vi.spyOn(state, 'commit').mockImplementation(async (...args) => {
    commit.mockRestore()
    const upload = await state.commit(...args)
    done.push('told to state')
    return upload
  })
  const acquire = vi.spyOn(state.locks, 'acquire')
  clock.now += HOUR
  return { uploads, files, id: manifest.id, done, acquire }
}

function describeExpiry(makeState: () => State): void {
  it('is carried out by who asks for it: recorded, told to state, and only then are the bytes deleted', async () => {
    const { uploads, id, done } = await openWithPart(makeState())
    await expect(uploads.settle(id, CALLER)).rejects.toMatchObject(EXPIRED)
    expect(done).toEqual(['recorded', 'told to state', 'deleted'])
    await expect(uploads.settle(id, CALLER)).rejects.toMatchObject(EXPIRED)
  })

  it('is waited for by who asks while another carries it out', async () => {
    const { uploads, files, id, acquire } = await openWithPart(makeState())
    files.hold(({ name, path }) => name === 'writev' && isJournal(path))
    const first = uploads.settle(id, CALLER)
    await vi.waitUntil(() => files.waiting > 0, { timeout: 10_000 })
    const before = acquire.mock.calls.length
    const second = uploads.settle(id, CALLER)
    const outcome = outcomeOf(second)
    await vi.waitUntil(() => outcome.settled || acquire.mock.calls.length > before, { timeout: 10_000 })
    files.release()
    await Promise.all([expect(first).rejects.toMatchObject(EXPIRED), expect(second).rejects.toMatchObject(EXPIRED)])
  })

  it('comes before a file of it that is asked for meanwhile: no such file is begun', async () => {
    const { uploads, files, id } = await openWithPart(makeState())
    files.hold(({ name, path }) => name === 'writev' && isJournal(path))
    const expiring = uploads.settle(id, CALLER)
    await vi.waitUntil(() => files.waiting > 0, { timeout: 10_000 })
    const making = uploads.concatenate({ fileName: 'b', parts: [id] }, CALLER)
    making.catch(() => {})
    files.release()
    await Promise.all([
      expect(expiring).rejects.toMatchObject(EXPIRED),
      expect(making).rejects.toMatchObject({ ...EXPIRED, details: { part: 1 } }),
    ])
  })
}

describe('the expiry of a part that is whole', () => {
  describeExpiry(() => new MemoryState())
})

describeWithRedis('the expiry of a part that is whole, in Redis', () => {
  describeExpiry(() => new RedisState({ redis: aClient(), prefix: ownPrefix() }))
})
