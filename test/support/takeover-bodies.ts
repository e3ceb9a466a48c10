import { expect, it } from 'vitest'
import { bytesOf, sha256Of } from './byte-source.ts'
import { chunkOf, dataOf } from './json-client.ts'
import type { TakeOver } from './takeover.ts'

const KIB = 1024
const CHUNK = 5 * 1024 * KIB
const SIZE = 12 * 1024 * KIB

/** What two clients send of one upload, whose content differs. */
export const TAKEOVER = {
  /** Bytes of a chunk, and of the file. */
  chunk: CHUNK,
  size: SIZE,
  /** What the client of the node that stands still sends. */
  stale: bytesOf(1, SIZE),
  /** What the client of the other node sends, who goes on from what was acknowledged. */
  other: bytesOf(2, SIZE),
  /** Statuses of a request that has not done what it asked for. */
  refused: [409, 410, 422, 423],
} as const

const { stale, other, refused } = TAKEOVER

/** The content of which the other client has sent what follows `offset`. */
export function contentFrom(offset: number): Buffer {
  return Buffer.concat([stale.subarray(0, offset), other.subarray(offset)])
}

/** Every node tells this offset. */
export async function expectOffset({ nodes }: TakeOver, path: string, offset: number): Promise<void> {
  for (const { tus } of nodes) expect(await tus.offset(path)).toBe(offset)
}

/** The other client goes on from `offset` to the end. */
export async function finish(pair: TakeOver, path: string, offset: number): Promise<void> {
  const { status, headers } = await pair.other.tus.patch(path, offset, other.subarray(offset))
  expect({ status, offset: headers['upload-offset'] }).toEqual({ status: 204, offset: String(SIZE) })
}

/** Every node has this file. */
export async function expectFile({ nodes }: TakeOver, id: string, bytes: Buffer): Promise<void> {
  for (const { tus, json } of nodes) {
    const file = await json.completed(id)
    expect(file).toMatchObject({ size: bytes.length, checksum: sha256Of(bytes) })
    const { status, body } = await tus.request('GET', `/api/v1/files/${file.id}/content`)
    expect({ status, same: body.equals(bytes) }).toEqual({ status: 200, same: true })
  }
  expect(nodes.some((node) => node.hasCompleted(id))).toBe(true)
}

/** Begins an upload of three chunks, of which the middle one is missing; its id. */
export async function withoutMiddle({ json }: TakeOver['other']): Promise<string> {
  const { id } = await json.begin({ fileSize: SIZE, chunkSize: CHUNK })
  for (const number of [0, 2]) await json.sent(id, number, chunkOf(other, CHUNK, number))
  return id
}

/** A node stands still before or after a body is stored, and another has taken the upload over when it goes on. */
export function itLosesBodies(pair: () => TakeOver): void {
  /** A PATCH of everything to the node that will stand still, which does so at its second chunk. */
  async function stopAtSecondChunk(when: 'before' | 'after') {
    const { tus, json } = pair().other
    const stops = pair().stopped.stopsAt({ name: 'UploadPart', part: 2, when })
    const path = await tus.create(SIZE)
    const id = path.split('/').at(-1)!
    const patch = pair().stopped.tus.openPatch(path, 0, SIZE)
    await patch.write(stale.subarray(0, CHUNK))
    await expect.poll(async () => (await json.progressed(id)).uploadedBytes).toBe(CHUNK)
    void patch.write(stale.subarray(CHUNK))
    patch.end()
    await stops
    expect(await tus.offset(path)).toBe(CHUNK)
    return { path, id, answer: patch.answer }
  }

  it.for(['before', 'after'] as const)('brings no chunk into a finished file, stopped %s S3 had it', async (when) => {
    const { path, id, answer } = await stopAtSecondChunk(when)
    await finish(pair(), path, CHUNK)
    pair().stopped.goOn()
    expect(refused).toContain((await answer).status)
    await expectOffset(pair(), path, SIZE)
    await pair().flush()
    await expectOffset(pair(), path, SIZE)
    await expectFile(pair(), id, contentFrom(CHUNK))
  })

  it.for(['stands', 'is lost'] as const)('brings no chunk in place of another while state %s', async (state) => {
    const { path, id, answer } = await stopAtSecondChunk('before')
    const { tus } = pair().other
    expect((await tus.patch(path, CHUNK, other.subarray(CHUNK, 2 * CHUNK))).status).toBe(204)
    pair().stopped.goOn()
    expect(refused).toContain((await answer).status)
    if (state === 'is lost') await pair().flush()
    // S3 has taken its part in place of the other one. That is found out at the latest when the file is made; then the
    // chunk has to be sent again, the one exception to "never twice", and it comes from where it was acknowledged.
    const told = await tus.offset(path)
    expect([CHUNK, 2 * CHUNK]).toContain(told)
    expect((await tus.patch(path, told, other.subarray(told))).status).toBe(204)
    const again = await tus.offset(path)
    console.log(`stopped node: its part came last, state ${state}: offset ${told}, after the rest ${again}`)
    if (again < SIZE) await finish(pair(), path, again)
    await expectFile(pair(), id, contentFrom(CHUNK))
  })

  it.for(['before', 'after'] as const)('loses a chunk to other bytes, stopped %s S3 had its own', async (when) => {
    const { json } = pair().other
    const id = await withoutMiddle(pair().other)
    const stops = pair().stopped.stopsAt({ name: 'UploadPart', part: 2, when })
    const late = pair().stopped.json.chunk(id, 1, chunkOf(stale, CHUNK, 1))
    await stops
    await json.sent(id, 1, chunkOf(other, CHUNK, 1))
    pair().stopped.goOn()
    expect((await late).json).toMatchObject({ error: { code: 'CHUNK_CONFLICT' } })
    if (when === 'before') {
      // Its part came last: the exception again.
      const answer = await json.complete(id)
      expect(answer.json).toMatchObject({ error: { code: 'CHUNKS_MISSING', details: { missing: [[1, 1]] } } })
      await json.sent(id, 1, chunkOf(other, CHUNK, 1))
    }
    await expectFile(pair(), id, other)
  })

  it.for(['before', 'after'] as const)('wins or loses the only chunk, stopped %s S3 had its own', async (when) => {
    const { json } = pair().other
    const [mine, theirs] = [stale.subarray(0, 1000), other.subarray(0, 1000)]
    const { id, fileId } = await json.begin({ fileSize: 1000 })
    const stops = pair().stopped.stopsAt({ name: 'PutObject', key: fileId, when })
    const late = pair().stopped.json.chunk(id, 0, mine)
    await stops
    const taken = await json.chunk(id, 0, theirs)
    pair().stopped.goOn()
    expect(new Set([(await late).status, taken.status])).toEqual(new Set([200, 409]))
    dataOf(await json.complete(id))
    await pair().flush()
    await expectFile(pair(), id, taken.status === 200 ? theirs : mine)
  })
}

/** Both have begun the same chunk: when the node goes on with its 200 KiB, 100 KiB of the other are acknowledged. */
export async function stopAtTail(pair: TakeOver): Promise<string> {
  const stops = pair.stopped.stopsAt({ name: 'PutObject', key: '/tail/', when: 'before' })
  const path = await pair.other.tus.create(SIZE)
  const late = pair.stopped.tus.patch(path, 0, stale.subarray(0, 200 * KIB))
  await stops
  expect(await pair.other.tus.offset(path)).toBe(0)
  expect((await pair.other.tus.patch(path, 0, other.subarray(0, 100 * KIB))).status).toBe(204)
  pair.stopped.goOn()
  expect(refused).toContain((await late).status)
  await expectOffset(pair, path, 100 * KIB)
  return path
}
