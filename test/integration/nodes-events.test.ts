import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { Cluster, facesOf } from '../support/cluster.ts'
import { EventClient } from '../support/event-source.ts'
import { chunkOf, someFile } from '../support/json-client.ts'
import { startRedis } from '../support/services/own-redis.ts'
import { describeWithRedis } from '../support/services/redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'

const CHUNK = 5 * 1024 * 1024
const TIMEOUT = { timeout: 60_000 }

describeWithRedis('the events of an upload', () => {
  describeWithS3('on a node that does not take its bytes', () => {
    it('tell its progress and its end, also after Redis was emptied', TIMEOUT, async () => {
      const redis = await startRedis()
      onTestFinished(() => redis.stop())
      const cluster = await Cluster.start(2, redis.url)
      onTestFinished(() => cluster.stop())
      const [here, there] = facesOf(cluster)
      const url = cluster.urls[1]
      if (here === undefined || there === undefined || url === undefined) throw new Error('There are no two nodes.')
      onTestFinished(() => {
        here.json.close()
        there.json.close()
      })
      const watch = async (id: string) => {
        const client = await EventClient.open(`${url}/api/v1/uploads/${id}/events`)
        onTestFinished(() => client.close())
        return client
      }
      const file = someFile(2 * CHUNK + 1)
      const begun = await here.json.begin({ fileSize: file.length, chunkSize: CHUNK })
      const client = await watch(begun.id)
      expect((await client.until('snapshot')).data).toMatchObject({ uploadedBytes: 0, status: 'initiated' })
      await client.until('progress')
      await here.json.sent(begun.id, 0, chunkOf(file, CHUNK, 0))
      expect((await client.until('progress')).data).toMatchObject({ uploadedBytes: CHUNK })

      const redisClient = new Redis(redis.url)
      await redisClient.flushall()
      redisClient.disconnect()
      await here.json.sent(begun.id, 1, chunkOf(file, CHUNK, 1))
      expect((await client.until('progress')).data).toMatchObject({ uploadedBytes: 2 * CHUNK })
      await here.json.sent(begun.id, 2, chunkOf(file, CHUNK, 2))
      await here.json.completed(begun.id)
      expect((await client.until('completed')).data).toMatchObject({ id: begun.fileId, size: file.length })
      expect(await client.rest()).toEqual([])

      const cancelled = await here.json.begin({ fileSize: 10, chunkSize: CHUNK })
      const other = await watch(cancelled.id)
      await other.until('progress')
      await here.json.cancel(cancelled.id)
      expect((await other.until('cancelled')).data).toMatchObject({ sessionId: cancelled.id, status: 'cancelled' })
    })

    it('end with the node, whose clients go on with another', TIMEOUT, async () => {
      const redis = await startRedis()
      onTestFinished(() => redis.stop())
      const cluster = await Cluster.start(2, redis.url)
      onTestFinished(() => cluster.stop())
      const [here] = facesOf(cluster)
      if (here === undefined) throw new Error('There is no node.')
      onTestFinished(() => here.json.close())
      const begun = await here.json.begin({ fileSize: 10, chunkSize: CHUNK })
      const client = await EventClient.open(`${cluster.urls[1]}/api/v1/uploads/${begun.id}/events`)
      await client.until('progress')
      const rest = client.rest()
      expect(await cluster.end(1, 'SIGTERM')).toBe(0)
      expect((await rest).filter(({ event }) => event !== null)).toEqual([])
      const next = await EventClient.open(`${cluster.urls[0]}/api/v1/uploads/${begun.id}/events`)
      onTestFinished(() => next.close())
      expect((await next.until('snapshot')).data).toMatchObject({ status: 'initiated' })
    })
  })
})
