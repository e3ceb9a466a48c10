import { PassThrough } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { createUploads } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { tempDir } from '../../support/temp-dir.ts'

const MIB = 1024 * 1024
const CALLER = { principal: null }

/** Remembers how much memory each writer was given. */
class WatchedStorage extends FileStorage {
  readonly given: number[] = []

  override beginChunk(...args: Parameters<FileStorage['beginChunk']>): ReturnType<FileStorage['beginChunk']> {
    this.given.push(args[3]?.memory ?? Infinity)
    return super.beginChunk(...args)
  }
}

async function open(memoryBudget: number, lockWaitMs = 10_000) {
  const storage = new WatchedStorage({ directory: await tempDir() })
  const uploads = createUploads({ storage, memoryBudget, lockWaitMs })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const create = async (): Promise<string> =>
    (await uploads.create({ fileName: 'a', fileSize: 200, chunkSize: 100 }, CALLER)).manifest.id
  const body = (bytes: number): PassThrough => {
    const stream = new PassThrough()
    stream.write(Buffer.alloc(bytes))
    return stream
  }
  return { uploads, storage, create, body }
}

it('gives the writers of a burst of bodies no more than the budget together', async () => {
  const { uploads, storage, create, body } = await open(16 * MIB)
  const ids = await Promise.all(Array.from({ length: 60 }, create))
  const bodies = ids.map(() => body(50))
  const puts = ids.map((id, at) =>
    uploads.putChunk(id, { number: 0, body: bodies[at] ?? body(50), contentLength: 100 }, CALLER),
  )
  await expect.poll(() => storage.given.length).toBe(60)
  expect(storage.given.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(16 * MIB)
  for (const one of bodies) one.end(Buffer.alloc(50))
  await Promise.all(puts)
})

it('lets nobody wait for memory while holding a lock that one with memory waits for', async () => {
  const { uploads, create, body } = await open(1, 200)
  const id = await create()
  const first = body(50)
  const appending = uploads.append(id, { offset: 0, body: first, contentLength: 200 }, CALLER)
  await expect.poll(() => first.readableFlowing).toBe(true)
  const second = body(100)
  const waiting = uploads.putChunk(id, { number: 1, body: second, contentLength: 100 }, CALLER)
  second.end()
  // The append goes on into chunk 1, which the waiting chunk does not hold.
  first.end(Buffer.alloc(150))
  expect(await appending).toMatchObject({ offset: 200, upload: { status: 'uploaded' } })
  expect((await waiting).entry).toMatchObject({ number: 1, size: 100 })
})

it('answers a body that waits for memory at shutdown that the server is draining', async () => {
  const { uploads, create, body } = await open(1)
  const [one, other] = [await create(), await create()]
  const first = body(50)
  const held = uploads.putChunk(one, { number: 0, body: first, contentLength: 100 }, CALLER)
  await expect.poll(() => first.readableFlowing).toBe(true)
  const waiting = uploads.putChunk(other, { number: 0, body: body(50), contentLength: 100 }, CALLER)
  const answers = Promise.allSettled([held, waiting])
  await uploads.close()
  for (const answer of await answers) expect(answer).toMatchObject({ reason: { code: 'DRAINING' } })
})
