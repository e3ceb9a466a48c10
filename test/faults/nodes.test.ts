import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { Random, runSeed } from '../support/byte-source.ts'
import { cases } from '../support/cases.ts'
import { Cluster } from '../support/cluster.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { SprayWire } from '../support/spray-wire.ts'
import { SprayedJsonUpload, SprayedTusUpload, type SprayedUpload } from '../support/sprayed-uploads.ts'

const MIB = 1024 * 1024
const NODES = 3
/** Uploads that run at the same time, one after the other in each slot. */
const SLOTS = [SprayedTusUpload, SprayedJsonUpload, SprayedTusUpload, SprayedJsonUpload] as const
const KILLS = cases(4)

describeWithRedis('three nodes on one Redis', () => {
  describeWithS3('and one S3', () => {
    it('finish every file, whichever node a request goes to and whichever is killed', {
      timeout: 300_000,
    }, async () => {
      const seed = runSeed()
      console.log(`nodes test: HOLDFAST_SEED=${seed} draws the same sizes and nodes again`)
      const random = new Random(seed)
      const cluster = await Cluster.start(NODES, redisService().url, {
        REDIS_PREFIX: `nodes-${seed}:`,
        LOCK_LEASE: '4s',
      })
      const wire = new SprayWire(() => cluster.urls, random)
      onTestFinished(async () => {
        wire.close()
        await cluster.stop()
      })

      let kills = 0
      let caught = 0
      let begun = 0
      let retries = 0
      const running = new Set<SprayedUpload>()
      const faults: unknown[] = []
      const over = (): boolean => faults.length > 0 || kills >= KILLS
      const slot = async (Upload: (typeof SLOTS)[number]): Promise<void> => {
        while (!over()) {
          const upload = new Upload({ wire, seed, index: (begun += 1), size: random.int(3 * MIB, 32 * MIB) })
          running.add(upload)
          await upload.run()
          running.delete(upload)
          retries += upload.retries
        }
      }
      const watcher = async (): Promise<void> => {
        while (!over()) {
          for (const upload of running) await upload.check()
          await delay(50)
        }
      }
      const killer = async (): Promise<void> => {
        while (!over()) {
          await delay(random.int(1000, 3000))
          const at = random.int(0, NODES - 1)
          const isCaught = ({ acknowledged, bytes }: SprayedUpload): boolean =>
            acknowledged > 0 && acknowledged < bytes.length
          // A kill that catches nobody shows nothing.
          while (!over() && ![...running].some(isCaught)) await delay(10)
          caught += [...running].filter(
            ({ acknowledged, bytes }) => acknowledged > 0 && acknowledged < bytes.length,
          ).length
          await cluster.end(at, random.chance(0.75) ? 'SIGKILL' : 'SIGTERM')
          kills += 1
          await delay(random.int(0, 1000))
          await cluster.begin(at)
        }
      }
      const guarded = (work: Promise<void>): Promise<void> => work.catch((error: unknown) => void faults.push(error))
      await Promise.all([...SLOTS.map(slot), watcher(), killer()].map(guarded))
      if (faults.length > 0) console.log(`HOLDFAST_SEED=${seed}\n${cluster.output().slice(-20_000)}`)
      for (const fault of faults) throw fault

      console.log(
        `nodes test: ${begun} files, ${kills} nodes ended with ${caught} uploads under way, ${retries} retries`,
      )
      expect(caught).toBeGreaterThanOrEqual(KILLS)
      expect(begun).toBeGreaterThanOrEqual(SLOTS.length)
    })
  })
})
