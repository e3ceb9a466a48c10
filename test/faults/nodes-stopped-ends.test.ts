import { afterAll, afterEach, beforeAll } from 'vitest'
import { NodePair } from '../support/node-pair.ts'
import { describeWithOwnRedis } from '../support/services/own-redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { itEndsOnce } from '../support/takeover-ends.ts'

describeWithOwnRedis('a node that is stopped for longer than its lease while it ends an upload', () => {
  describeWithS3('which another ends meanwhile', () => {
    let pair: NodePair
    beforeAll(async () => {
      pair = await NodePair.start()
    }, 60_000)
    afterAll(() => pair.stop())
    // A test that failed may have left it stopped.
    afterEach(() => pair.stopped.goOn())

    itEndsOnce(() => pair)
  })
})
