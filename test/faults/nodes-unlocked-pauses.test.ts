import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { PausingPair } from '../support/pausing-pair.ts'
import { describeWithOwnRedis } from '../support/services/own-redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { expectFile, expectOffset, finish, itLosesBodies, stopAtTail, TAKEOVER } from '../support/takeover-bodies.ts'
import { itEndsOnce } from '../support/takeover-ends.ts'
import { itKeepsTails } from '../support/takeover-tails.ts'

describeWithOwnRedis('a node that pauses, with locks that keep nobody out', () => {
  describeWithS3('while another does its work', () => {
    let pair: PausingPair
    beforeAll(async () => {
      pair = await PausingPair.start()
    }, 60_000)
    afterAll(() => pair.stop())
    // A test that failed may have left it paused.
    afterEach(() => pair.stopped.goOn())

    itLosesBodies(() => pair)

    itEndsOnce(() => pair)

    itKeepsTails(() => pair)

    it('brings no chunk in place of another behind one that was refused', async () => {
      const { chunk, stale, other, refused, size } = TAKEOVER
      const path = await pair.other.tus.create(size)
      const stops = pair.stopped.stopsAt({ name: 'UploadPart', when: 'before', times: 2 })
      const late = pair.stopped.tus.patch(path, 0, stale.subarray(0, 2 * chunk))
      await stops
      expect((await pair.other.tus.patch(path, 0, other.subarray(0, 2 * chunk))).status).toBe(204)
      pair.stopped.goOn()
      expect(refused).toContain((await late).status)
      await pair.flush()
      // S3 has taken both parts of the first in place of the other's: neither is believed.
      await expectOffset(pair, path, 0)
      await finish(pair, path, 0)
      await expectFile(pair, path.split('/').at(-1)!, other)
    })

    it('brings no tail in place of another', async () => {
      const path = await stopAtTail(pair)
      await pair.flush()
      await expectOffset(pair, path, 100 * 1024)
      await finish(pair, path, 100 * 1024)
      await expectFile(pair, path.split('/').at(-1)!, TAKEOVER.other)
    })
  })
})
