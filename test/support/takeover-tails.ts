import { expect, it } from 'vitest'
import { chunkOf, dataOf } from './json-client.ts'
import type { TakeOver } from './takeover.ts'
import { expectFile, expectOffset, finish, TAKEOVER } from './takeover-bodies.ts'

const KIB = 1024
const { chunk: CHUNK, size: SIZE, stale, other, refused } = TAKEOVER
const TAIL = 100 * KIB

/** A node stands still before or after it has stored a whole chunk, of which another has acknowledged a beginning when it goes on. */
export function itKeepsTails(pair: () => TakeOver): void {
  const moments = ['before', 'after'] as const

  async function begin() {
    const path = await pair().other.tus.create(SIZE)
    return { path, id: path.split('/').at(-1)! }
  }

  /** The other goes on from `from` to `to`, in the midst of a chunk; then the first goes on, and has done nothing by it. */
  async function expectKept(
    { path, id }: { path: string; id: string },
    from: number,
    to: number,
    goOn: () => Promise<void>,
  ) {
    expect((await pair().other.tus.patch(path, from, other.subarray(from, to))).status).toBe(204)
    pair().stopped.goOn()
    await goOn()
    await expectOffset(pair(), path, to)
    await pair().flush()
    await expectOffset(pair(), path, to)
    await finish(pair(), path, to)
    await expectFile(pair(), id, other)
  }

  it.for(moments)('takes no chunk in place of a tail of other bytes, stopped %s S3 had it', async (when) => {
    const upload = await begin()
    const stops = pair().stopped.stopsAt({ name: 'UploadPart', part: 1, when })
    const late = pair().stopped.json.chunk(upload.id, 0, chunkOf(stale, CHUNK, 0))
    await stops
    await expectKept(upload, 0, TAIL, async () => {
      expect((await late).json).toMatchObject({ error: { code: 'CHUNK_CONFLICT' } })
    })
  })

  it.for(moments)('takes a chunk that begins with the tail, stopped %s S3 had it', async (when) => {
    const { path, id } = await begin()
    const stops = pair().stopped.stopsAt({ name: 'UploadPart', part: 1, when })
    const late = pair().stopped.json.chunk(id, 0, chunkOf(other, CHUNK, 0))
    await stops
    expect((await pair().other.tus.patch(path, 0, other.subarray(0, TAIL))).status).toBe(204)
    pair().stopped.goOn()
    dataOf(await late)
    await pair().flush()
    await expectOffset(pair(), path, CHUNK)
    await finish(pair(), path, CHUNK)
    await expectFile(pair(), id, other)
  })

  it.for(moments)('takes nothing of a PATCH in place of a tail of other bytes, stopped %s S3 had it', async (when) => {
    const upload = await begin()
    const stops = pair().stopped.stopsAt({ name: 'UploadPart', part: 1, when })
    const late = pair().stopped.tus.patch(upload.path, 0, stale.subarray(0, CHUNK))
    await stops
    await expectKept(upload, 0, TAIL, async () => expect(refused).toContain((await late).status))
  })

  it.for(moments)('takes nothing from a tail that two have gone on from, stopped %s S3 had it', async (when) => {
    const upload = await begin()
    expect((await pair().other.tus.patch(upload.path, 0, other.subarray(0, TAIL))).status).toBe(204)
    const stops = pair().stopped.stopsAt({ name: 'UploadPart', part: 1, when })
    const late = pair().stopped.tus.patch(upload.path, TAIL, stale.subarray(TAIL, CHUNK))
    await stops
    await expectKept(upload, TAIL, 2 * TAIL, async () => expect(refused).toContain((await late).status))
  })

  it.for(moments)('makes no file of one chunk in place of a tail, stopped %s S3 had it', async (when) => {
    const { tus, json } = pair().other
    const { id, fileId } = await json.begin({ fileSize: 1000 })
    const path = `/files/${id}`
    const stops = pair().stopped.stopsAt({ name: 'PutObject', key: fileId, when })
    const late = pair().stopped.json.chunk(id, 0, stale.subarray(0, 1000))
    await stops
    expect((await tus.patch(path, 0, other.subarray(0, 100))).status).toBe(204)
    pair().stopped.goOn()
    expect((await late).json).toMatchObject({ error: { code: 'CHUNK_CONFLICT' } })
    await expectOffset(pair(), path, 100)
    await pair().flush()
    await expectOffset(pair(), path, 100)
    expect((await tus.patch(path, 100, other.subarray(100, 1000))).status).toBe(204)
    await expectFile(pair(), id, other.subarray(0, 1000))
  })
}
