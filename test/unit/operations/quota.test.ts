import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { MemoryState, type UploadsOptions } from '../../../src/index.ts'
import { sha256 } from '../../support/json-client.ts'
import { chunk, chunks, openUploads } from './opened-uploads.ts'

const ALICE = { principal: { id: 'alice' } } as const
const BOB = { principal: { id: 'bob' } } as const
const NOBODY = { principal: null } as const
const HOUR = 3_600_000

/** Uploads of chunks of 100 bytes with these limits, over a clock that jumps. */
async function limited(options: Partial<Omit<UploadsOptions, 'storage' | 'state'>>, directory?: string) {
  const state = new MemoryState()
  const clock = { ahead: 0 }
  const now = () => Date.now() + clock.ahead
  const place = directory === undefined ? {} : { directory }
  const opened = await openUploads({ now, expiresAfterMs: HOUR, ...options, state }, place)
  const { uploads } = opened
  return {
    ...opened,
    state,
    clock,
    begin: async (fileSize: number | null, caller: { principal: { id: string } | null } = ALICE, checksum?: string) => {
      const declared = checksum === undefined ? {} : { checksum }
      return (await uploads.create({ fileName: 'a', fileSize, ...declared }, caller)).manifest.id
    },
    put: (id: string, number: number, bytes = chunk(number)) =>
      uploads.putChunk(id, { number, body: bodyOf(bytes), contentLength: bytes.length }, ALICE),
    append: (id: string, offset: number, bytes: Buffer, more: { declaredSize?: number; chunked?: true } = {}) => {
      const { chunked, ...rest } = more
      const contentLength = chunked ? null : bytes.length
      return uploads.append(id, { offset, body: bodyOf(bytes), contentLength, ...rest }, ALICE)
    },
    ids: async () => (await uploads.list({}, ALICE)).items.map(({ upload }) => upload.manifest.id),
    reserved: async () => (await state.accounts.page('alice', null, 100)).reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

const bodyOf = (bytes: Buffer): Readable => Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false })

const exceeded = (details: object) => ({ code: 'QUOTA_EXCEEDED', status: 413, status_code: 413, details })

describe('how many unfinished uploads a user has', () => {
  it('is bounded, for each user apart, and for nobody who is not asked who he is', async () => {
    const { begin, directory } = await limited({ maxUploadsPerUser: 2 })
    await begin(1)
    await begin(1)
    const before = await readdir(join(directory, 'uploads'))
    await expect(begin(1)).rejects.toMatchObject(exceeded({ of: 'uploads', limit: 2, used: 2, requested: 1 }))
    expect(await readdir(join(directory, 'uploads'))).toEqual(before)
    await begin(1, BOB)
    for (let i = 0; i < 3; i += 1) await begin(1, NOBODY)
  })

  it('is told in words that say what to do', async () => {
    const { begin } = await limited({ maxUploadsPerUser: 1 })
    await begin(1)
    await expect(begin(1)).rejects.toThrow('You have 1 unfinished uploads, of at most 1. Complete or cancel one')
  })

  it.each<[string, (opened: Awaited<ReturnType<typeof limited>>, id: string) => Promise<unknown>]>([
    ['is completed', async ({ uploads, put }, id) => [await put(id, 0), await uploads.complete(id, {}, ALICE)]],
    ['is completed by a PATCH', ({ append }, id) => append(id, 0, chunk(0))],
    ['is cancelled', ({ uploads }, id) => uploads.cancel(id, ALICE)],
    ['is terminated', ({ uploads }, id) => uploads.terminate(id, ALICE)],
    ['expires, and nobody has noticed', async ({ clock }) => (clock.ahead += HOUR)],
  ])('is one less when one %s', async (_, finish) => {
    const opened = await limited({ maxUploadsPerUser: 1, maxBytesPerUser: 100 })
    const id = await opened.begin(100)
    await expect(opened.begin(100)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    await finish(opened, id)
    await opened.begin(100)
  })

  it('is one less when one fails', async () => {
    const { begin, put, uploads } = await limited({ maxUploadsPerUser: 1 })
    const id = await begin(100, ALICE, sha256('another file'))
    await put(id, 0)
    await expect(uploads.complete(id, {}, ALICE)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    await begin(100)
  })

  it('counts an upload once that is begun again with the same key', async () => {
    const { uploads } = await limited({ maxUploadsPerUser: 1, maxBytesPerUser: 10 })
    const again = () => uploads.create({ fileName: 'a', fileSize: 10 }, ALICE, { key: 'key' })
    const [one, two, three] = [await again(), await again(), await again()]
    expect(new Set([one, two, three].map(({ manifest }) => manifest.id)).size).toBe(1)
  })

  it('holds of many that are begun at once', async () => {
    const { begin } = await limited({ maxUploadsPerUser: 3 })
    const begun = await Promise.allSettled(Array.from({ length: 10 }, () => begin(1)))
    expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  })

  it('does not count for long one whose making was cut by a kill', async () => {
    const { begin, clock, state } = await limited({ maxUploadsPerUser: 1 })
    const at = Date.now()
    await state.accounts.enter('alice', { id: randomUUID(), bytes: 0, at, until: at + HOUR })
    // It may be about to be made.
    await expect(begin(1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    clock.ahead = 90_000
    await begin(1)
  })

  it('does not count one that could not be stored', async () => {
    const { begin, files } = await limited({ maxUploadsPerUser: 1 })
    files.plan = ({ path }) => (path.includes('manifest') ? { when: 'before', code: 'ENOSPC' } : null)
    await expect(begin(1)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    files.plan = () => null
    await begin(1)
  })

  it('does not count one that a hook has refused', async () => {
    const { begin, reserved, ids } = await limited({
      maxUploadsPerUser: 1,
      beforeCreate: () => {
        throw new Error('no')
      },
    })
    await expect(begin(1)).rejects.toThrow('no')
    expect([await reserved(), await ids()]).toEqual([0, []])
  })

  it('is right at once after a restart that has forgotten it', async () => {
    const first = await limited({})
    for (let i = 0; i < 3; i += 1) await first.begin(1)
    await first.uploads.cancel((await first.ids())[0] ?? '', ALICE)
    await first.uploads.close()
    const second = await limited({ maxUploadsPerUser: 2, maxBytesPerUser: 2 }, first.directory)
    await expect(second.begin(1)).rejects.toMatchObject(exceeded({ of: 'uploads', limit: 2, used: 2, requested: 1 }))
    expect(await second.reserved()).toBe(2)
  })
})

describe('how many bytes of unfinished uploads a user has', () => {
  it('counts each file as large as it says it will be', async () => {
    const { begin } = await limited({ maxBytesPerUser: '1KiB' })
    await begin(1000)
    await expect(begin(25)).rejects.toMatchObject(exceeded({ of: 'bytes', limit: 1024, used: 1000, requested: 25 }))
    await begin(24)
    await begin(0)
  })

  it('counts a file of unknown length as far as it has come, and the chunk that is coming', async () => {
    const { begin, append, reserved, uploads } = await limited({ maxBytesPerUser: 250 })
    const id = await begin(null)
    expect(await reserved()).toBe(0)
    await append(id, 0, chunks(1).subarray(0, 30), { chunked: true })
    expect(await reserved()).toBe(100)
    await append(id, 30, chunks(2).subarray(30, 150))
    expect(await reserved()).toBe(150)
    await expect(begin(101)).rejects.toMatchObject(exceeded({ of: 'bytes', limit: 250, used: 150, requested: 101 }))
    await begin(100)
    // None of it has come, and none is waited for.
    const body = new PassThrough()
    const refused = uploads.append(id, { offset: 150, body, contentLength: 50 }, ALICE)
    await expect(refused).rejects.toMatchObject(exceeded({ of: 'bytes', limit: 250, used: 100, requested: 200 }))
    expect((await uploads.settle(id, ALICE)).offset).toBe(150)
  })

  it('keeps what came before a chunk for which there is no room', async () => {
    const { begin, append, uploads } = await limited({ maxBytesPerUser: 200 })
    const id = await begin(null)
    await expect(append(id, 0, chunks(3), { chunked: true })).rejects.toMatchObject(
      exceeded({ of: 'bytes', limit: 200, used: 0, requested: 300 }),
    )
    expect((await uploads.settle(id, ALICE)).offset).toBe(200)
    // What ends where the room ends has room.
    const { upload } = await append(id, 200, Buffer.alloc(0), { declaredSize: 200 })
    expect(upload.status).toBe('uploaded')
  })

  it('counts the whole of a length when it is declared, and nothing of one that is refused', async () => {
    const { begin, append, reserved, uploads } = await limited({ maxBytesPerUser: 250 })
    const id = await begin(null)
    const refused = append(id, 0, chunk(0), { declaredSize: 251 })
    await expect(refused).rejects.toMatchObject(exceeded({ of: 'bytes', limit: 250, used: 0, requested: 251 }))
    expect((await uploads.find(id, ALICE)).size).toBeNull()
    await append(id, 0, chunk(0).subarray(0, 10), { chunked: true })
    await append(id, 10, chunk(0).subarray(10, 20), { declaredSize: 60 })
    expect(await reserved()).toBe(60)
  })

  it('counts chunks of a file of unknown length by where they end', async () => {
    const { begin, put, reserved } = await limited({ maxBytesPerUser: 500 })
    const id = await begin(null)
    await put(id, 3)
    expect(await reserved()).toBe(400)
    await put(id, 0)
    expect(await reserved()).toBe(400)
    await expect(put(id, 5)).rejects.toMatchObject(exceeded({ of: 'bytes', limit: 500, used: 0, requested: 600 }))
    await put(id, 4)
  })
})

describe('the unfinished uploads of a user', () => {
  it('are all that have been begun and have not ended, the newest first', async () => {
    const { begin, clock, ids, put, uploads } = await limited({})
    const begun: string[] = []
    for (let i = 0; i < 4; i += 1) {
      clock.ahead += 1000
      begun.unshift(await begin(100))
    }
    await begin(100, BOB)
    expect(await ids()).toEqual(begun)
    await uploads.cancel(begun[1] ?? '', ALICE)
    await put(begun[3] ?? '', 0)
    await uploads.complete(begun[3] ?? '', {}, ALICE)
    expect(await ids()).toEqual([begun[0], begun[2]])
    clock.ahead += HOUR
    expect(await ids()).toEqual([])
  })

  it('come in pages that nothing moves', async () => {
    const { begin, clock, uploads } = await limited({})
    const begun: string[] = []
    for (let i = 0; i < 5; i += 1) {
      clock.ahead += 1
      begun.unshift(await begin(1))
    }
    const first = await uploads.list({ limit: 2 }, ALICE)
    expect(first.items.map(({ upload }) => upload.manifest.id)).toEqual(begun.slice(0, 2))
    await uploads.cancel(begun[1] ?? '', ALICE)
    await uploads.cancel(begun[2] ?? '', ALICE)
    await begin(1)
    const second = await uploads.list({ limit: 2, cursor: first.nextCursor ?? '' }, ALICE)
    expect(second.items.map(({ upload }) => upload.manifest.id)).toEqual(begun.slice(3))
    expect(second.nextCursor).toBeNull()
  })

  it('are those that the caller may read', async () => {
    const hidden = new Set<string>()
    const { begin, ids } = await limited({
      authorize: (_principal, action, subject) => action !== 'read' || !hidden.has(subject?.id ?? ''),
    })
    const [one, other] = [await begin(1), await begin(1)]
    hidden.add(one)
    expect(await ids()).toEqual([other])
  })

  it('are right at once after a restart that has forgotten them', async () => {
    const first = await limited({})
    for (let i = 0; i < 30; i += 1) await first.begin(100)
    const before = (await first.uploads.list({ limit: 100 }, ALICE)).items.map(({ upload }) => upload.manifest.id)
    await first.uploads.cancel(before.pop() ?? '', ALICE)
    await first.uploads.close()
    const second = await limited({}, first.directory)
    const after = await second.uploads.list({ limit: 100 }, ALICE)
    expect(after.items.map(({ upload }) => upload.manifest.id)).toEqual(before)
  })

  it.each([0, -1, 101, 1.5, Number.NaN])('are refused with a limit of %d', async (limit) => {
    const { uploads } = await limited({})
    await expect(uploads.list({ limit }, ALICE)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      details: { field: 'limit' },
    })
  })

  it.each(['', 'x', 'AAAA', Buffer.from('1 2').toString('base64url')])(
    'are refused with the cursor %j',
    async (cursor) => {
      const { uploads } = await limited({})
      await expect(uploads.list({ cursor }, ALICE)).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
        details: { field: 'cursor' },
      })
    },
  )

  it('are nobody’s where nobody is asked who he is', async () => {
    const { uploads } = await limited({})
    await expect(uploads.list({}, NOBODY)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })
})
