import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { chunkOf } from '../support/json-client.ts'
import { NodePair } from '../support/node-pair.ts'
import { describeWithOwnRedis } from '../support/services/own-redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import {
  contentFrom,
  expectFile,
  expectOffset,
  finish,
  itLosesBodies,
  stopAtTail,
  TAKEOVER,
  withoutMiddle,
} from '../support/takeover-bodies.ts'
import { itKeepsTails } from '../support/takeover-tails.ts'

const KIB = 1024
const { chunk: CHUNK, size: SIZE, stale, other, refused } = TAKEOVER

describeWithOwnRedis('a node that is stopped for longer than its lease in the midst of a body', () => {
  describeWithS3('while another takes the upload over, with other bytes', () => {
    let pair: NodePair
    beforeAll(async () => {
      pair = await NodePair.start()
    }, 60_000)
    afterAll(() => pair.stop())
    // A test that failed may have left it stopped.
    afterEach(() => pair.stopped.goOn())

    /** The node is stopped when it has taken `bytes` more from its clients. */
    async function stopWhenTaken(bytes: number, send: () => Promise<void>): Promise<void> {
      const before = await pair.stopped.taken()
      await send()
      await expect.poll(() => pair.stopped.taken(), { interval: 5 }).toBeGreaterThan(before + bytes)
      pair.stopped.stop()
    }

    it.for([
      ['adds nothing of a PATCH after what was acknowledged', CHUNK, CHUNK + 1024 * KIB],
      ['stores no chunk of which the last bytes have waited in its socket', 0, CHUNK - 16 * KIB],
    ] as const)('%s', async ([, acknowledged, taken]) => {
      const { tus, json } = pair.other
      const path = await tus.create(SIZE)
      const id = path.split('/').at(-1)!
      const patch = pair.stopped.tus.openPatch(path, 0, SIZE)
      await stopWhenTaken(taken, async () => {
        await patch.write(stale.subarray(0, taken))
        await expect.poll(async () => (await json.progressed(id)).uploadedBytes).toBe(acknowledged)
      })
      void patch.write(stale.subarray(taken))
      patch.end()

      const tail = acknowledged + 300 * KIB
      expect(await tus.offset(path)).toBe(acknowledged)
      expect((await tus.patch(path, acknowledged, other.subarray(acknowledged, tail))).status).toBe(204)
      pair.stopped.goOn()
      expect(refused).toContain((await patch.answer).status)
      await expectOffset(pair, path, tail)
      await pair.flush()
      await expectOffset(pair, path, tail)
      await finish(pair, path, tail)
      await expectFile(pair, id, contentFrom(acknowledged))
    })

    it('loses a chunk to other bytes', async () => {
      const id = await withoutMiddle(pair.other)
      const chunk = chunkOf(stale, CHUNK, 1)
      const put = pair.stopped.json.openChunk(id, 1, CHUNK)
      await stopWhenTaken(CHUNK - 16 * KIB, () => put.write(chunk.subarray(0, CHUNK - 16 * KIB)))
      const late = put.end(chunk.subarray(CHUNK - 16 * KIB))
      await pair.other.json.sent(id, 1, chunkOf(other, CHUNK, 1))
      pair.stopped.goOn()
      expect(refused).toContain((await late).status)
      // Its client tries again, as it is told.
      const again = await pair.stopped.json.chunk(id, 1, chunk)
      expect(again.json).toMatchObject({ error: { code: 'CHUNK_CONFLICT' } })
      await expectFile(pair, id, other)
    })

    itLosesBodies(() => pair)

    itKeepsTails(() => pair)

    it('brings no tail in place of another', async () => {
      const path = await stopAtTail(pair)
      await finish(pair, path, 100 * KIB)
      await expectFile(pair, path.split('/').at(-1)!, other)
    })

    it('brings no tail in place of another, also where state is lost then', async () => {
      const path = await stopAtTail(pair)
      await pair.flush()
      await expectOffset(pair, path, 100 * KIB)
      await finish(pair, path, 100 * KIB)
      await expectFile(pair, path.split('/').at(-1)!, other)
    })
  })
})
