import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bytesOf, Random, runSeed, sha256Of } from '../support/byte-source.ts'
import { Cluster, facesOf } from '../support/cluster.ts'
import { describeWithOwnRedis, startRedis } from '../support/services/own-redis.ts'
import type { RedisServer } from '../support/services/redis-server.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { SprayedCrowd } from '../support/sprayed-crowd.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB
const FLUSHES = 10
const KILLS = 3

describeWithOwnRedis('nodes whose Redis', () => {
  describeWithS3('fails them', () => {
    const seed = runSeed()
    const random = new Random(seed)
    let server: RedisServer
    let redis: Redis
    let cluster: Cluster
    beforeAll(async () => {
      console.log(`redis test: HOLDFAST_SEED=${seed} draws the same sizes and moments again`)
      server = await startRedis()
      redis = new Redis(server.url)
      redis.on('error', () => {})
      cluster = await Cluster.start(2, server.url)
    }, 60_000)
    afterAll(async () => {
      await cluster.stop()
      redis.disconnect()
      await server.stop()
    })

    /** Has files uploaded while something happens to Redis. */
    async function uploadDuring(trouble: (crowd: SprayedCrowd) => Promise<void>): Promise<SprayedCrowd> {
      const sizes = [6 * MIB, 24 * MIB] as const
      const crowd = new SprayedCrowd({ nodes: () => cluster.urls, seed, random, sizes })
      try {
        await crowd.during(() => trouble(crowd))
      } catch (error) {
        console.log(`HOLDFAST_SEED=${seed}\n${cluster.output().slice(-20_000)}`)
        throw error
      }
      // A connection is never lost (0), and a 409 is told only to a tus client whose upload has moved on.
      expect([409, 423, 503]).toEqual(expect.arrayContaining([...crowd.refusals]))
      return crowd
    }

    /** Waits until a part of an upload is acknowledged; of how many. */
    async function anyCaught(crowd: SprayedCrowd): Promise<number> {
      await expect.poll(() => crowd.caught, { interval: 10, timeout: 10_000 }).toBeGreaterThan(0)
      return crowd.caught
    }

    const told = ({ files, retries, refusals }: SprayedCrowd): string =>
      `${files} files, ${retries} retries after ${[...refusals].join(' and ')}`

    it('is flushed go on with all that they acknowledged', { timeout: 60_000 }, async () => {
      let caught = 0
      const crowd = await uploadDuring(async (crowd) => {
        for (let n = 0; n < FLUSHES; n += 1) {
          await delay(random.int(0, 600))
          caught += await anyCaught(crowd)
          await redis.flushall()
        }
      })
      console.log(`redis test: ${FLUSHES} flushes caught ${caught} uploads; ${told(crowd)}`)
      expect(caught).toBeGreaterThanOrEqual(FLUSHES)
    })

    it('is killed, and comes back with what it once was, go on', { timeout: 60_000 }, async () => {
      let caught = 0
      const crowd = await uploadDuring(async (crowd) => {
        for (let n = 0; n < KILLS; n += 1) {
          await delay(random.int(200, 600))
          await redis.save()
          // What is acknowledged in this time is lost.
          await delay(random.int(500, 1200))
          caught += await anyCaught(crowd)
          await server.kill()
          await delay(random.int(0, 500))
          await server.restart()
        }
      })
      console.log(`redis test: ${KILLS} restarts caught ${caught} uploads; ${told(crowd)}`)
      expect(caught).toBeGreaterThanOrEqual(KILLS)
    })

    it('does not answer tell clients to come again, and go on by themselves', { timeout: 60_000 }, async () => {
      const { tus, json } = facesOf(cluster)[1]!
      const file = bytesOf(seed, CHUNK + 1000)
      const { id } = await json.begin({ fileSize: file.length, chunkSize: CHUNK })
      const pids = [0, 1].map((at) => cluster.node(at).pid)
      const crowd = await uploadDuring(async () => {
        await delay(500)
        process.kill(server.pid, 'SIGSTOP')
        const onTus = [
          tus.request('POST', '/files', { headers: { 'Upload-Length': 10 } }),
          tus.head(`/files/${id}`),
          tus.patch(`/files/${id}`, 0, file.subarray(0, 1000)),
          tus.request('DELETE', `/files/${id}`),
        ]
        const onJson = [
          json.initiate({ fileName: 'a.bin', fileSize: 10 }),
          json.chunk(id, 0, file.subarray(0, CHUNK)),
          json.progress(id),
          json.resume(id),
          json.complete(id),
          json.cancel(id),
        ]
        const answers = Promise.all([Promise.all(onTus), Promise.all(onJson)])
        const [tusAnswers, jsonAnswers] = await answers.finally(() => process.kill(server.pid, 'SIGCONT'))
        expect(tusAnswers.map(({ status }) => status)).toEqual(onTus.map(() => 423))
        for (const answer of jsonAnswers) {
          expect(answer).toMatchObject({ status: 503, json: { error: { code: 'STATE_UNAVAILABLE' } } })
        }
        for (const { headers } of [...tusAnswers, ...jsonAnswers]) expect(headers['retry-after']).toBe('1')
        await delay(1000)
      })
      console.log(`redis test: stopped until ten requests were answered; ${told(crowd)}`)
      for (const [number, end] of [CHUNK, file.length].entries()) {
        await json.sent(id, number, file.subarray(number * CHUNK, end))
      }
      await expect(json.completed(id)).resolves.toMatchObject({ checksum: sha256Of(file) })
      expect(pids.every((pid) => process.kill(pid, 0))).toBe(true)
    })
  })
})
