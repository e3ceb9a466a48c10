import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bytesOf } from '../support/byte-source.ts'
import { Cluster, facesOf } from '../support/cluster.ts'
import { describeWithOwnRedis, startRedis } from '../support/services/own-redis.ts'
import type { RedisServer } from '../support/services/redis-server.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { type BothFaces, commonVerdict, type EndedUpload, type Verdict } from '../support/upload-verdict.ts'

const CHUNK = 5 * 1024 * 1024
const BYTES = bytesOf(4, CHUNK + 1000)

/** Brings an upload that has all its bytes, or all but the last, to its end. */
type End = (node: BothFaces, upload: EndedUpload) => Promise<unknown>

const ENDS: readonly (readonly [what: string, verdict: Verdict, end: End])[] = [
  ['cancelled over JSON', 'cancelled', ({ json }, { id }) => json.cancel(id)],
  ['cancelled over tus', 'cancelled', ({ tus }, { id }) => tus.request('DELETE', `/files/${id}`)],
  [
    'finished over JSON',
    'uploaded',
    async ({ json }, { id }) => {
      await json.sent(id, 1, BYTES.subarray(CHUNK))
      await json.completed(id)
    },
  ],
  ['finished over tus', 'uploaded', ({ tus }, { id }) => tus.patch(`/files/${id}`, CHUNK, BYTES.subarray(CHUNK))],
  [
    'expired',
    'expired',
    ({ json }, { id }) => expect.poll(() => json.progress(id), { timeout: 10_000 }).toMatchObject({ status: 410 }),
  ],
]

describeWithOwnRedis('an upload that has ended', () => {
  describeWithS3('on nodes whose Redis forgets it', () => {
    let server: RedisServer
    let redis: Redis
    let cluster: Cluster
    let nodes: readonly BothFaces[]
    beforeAll(async () => {
      server = await startRedis()
      redis = new Redis(server.url)
      redis.on('error', () => {})
      cluster = await Cluster.start(2, server.url, { EXPIRES_AFTER: '1500ms' })
      nodes = facesOf(cluster)
    }, 60_000)
    afterAll(async () => {
      await cluster.stop()
      redis.disconnect()
      await server.stop()
    })

    it.for(ENDS)('stays %s', async ([, verdict, end]) => {
      const { id, fileId } = await nodes[0]!.json.begin({ fileSize: BYTES.length, chunkSize: CHUNK })
      await nodes[1]!.json.sent(id, 0, BYTES.subarray(0, CHUNK))
      const upload = { id, fileId, bytes: BYTES }
      // Redis comes back with the upload as it is now.
      await redis.save()
      await end(nodes[1]!, upload)
      expect(await commonVerdict(nodes, upload)).toBe(verdict)
      const complete = async () => (await nodes[0]!.json.complete(id)).json
      const told = verdict === 'uploaded' ? await complete() : null

      await redis.flushall()
      expect(await commonVerdict(nodes, upload)).toBe(verdict)
      await server.restart()
      await expect.poll(async () => (await nodes[0]!.json.progress(id)).status).not.toBe(503)
      await expect.poll(async () => (await nodes[1]!.json.progress(id)).status).not.toBe(503)
      expect(await commonVerdict(nodes, upload)).toBe(verdict)
      if (told !== null) expect(await complete()).toEqual(told)
      expect(await cluster.keys(fileId)).toHaveLength(verdict === 'uploaded' ? 2 : 1)
    })
  })
})
