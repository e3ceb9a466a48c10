import { afterAll, afterEach, beforeAll, it } from 'vitest'
import { PausingPair } from '../support/pausing-pair.ts'
import { describeWithOwnRedis } from '../support/services/own-redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { itLosesBodies, stopAtTail } from '../support/takeover-bodies.ts'
import { itEndsOnce } from '../support/takeover-ends.ts'

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

    // A tail is replaced by any longer one, of whatever bytes: only the lock keeps the other away from it.
    it('brings no tail in place of another', async () => {
      await stopAtTail(pair)
    })
  })
})
