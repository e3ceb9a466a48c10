import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { bytesOf, Random, runSeed, sha256Of } from '../support/byte-source.ts'
import { cases } from '../support/cases.ts'
import { dataOf } from '../support/json-client.ts'
import { S3Place } from '../support/s3-place.ts'
import { type ServedNode, type ServedNodes, serveNodes } from '../support/served-nodes.ts'
import { describeWithOwnRedis, startRedis } from '../support/services/own-redis.ts'
import type { RedisServer } from '../support/services/redis-server.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { SprayWire } from '../support/spray-wire.ts'
import { SprayedJsonUpload, SprayedTusUpload } from '../support/sprayed-uploads.ts'
import type { TusClient } from '../support/tus-client.ts'
import { createdId, TusDriver } from '../support/upload-drivers.ts'
import { commonVerdict, type EndedUpload, type Verdict, verdictOf } from '../support/upload-verdict.ts'

const KIB = 1024
const MIB = 1024 * KIB
const CHUNK = 5 * MIB
const NODES = 3
/** Files that many send at once, and races of each kind. */
const SHARED = cases(2)
const ENDS = cases(12)
const DELETIONS = cases(8)
const CONTENTS = cases(8)
const APPENDS = cases(3)

const limit = { timeout: 60_000 + 30_000 * cases(1) } as const

describeWithOwnRedis('three nodes whose locks keep nobody out', () => {
  describeWithS3('on one S3', () => {
    let server: RedisServer
    let place: S3Place
    let served: ServedNodes
    const seed = runSeed()
    const random = new Random(seed)
    beforeAll(async () => {
      console.log(`unlocked nodes: HOLDFAST_SEED=${seed} draws the same again`)
      ;[server, place] = await Promise.all([startRedis(), S3Place.make()])
      served = await serveNodes(NODES, place, server.url)
    }, 60_000)
    afterAll(async () => {
      await served.close()
      await place.leave()
      await server.stop()
    })

    /** All nodes, in another order every time. */
    const anyNodes = () => random.shuffle(served.nodes) as [ServedNode, ServedNode, ServedNode]

    /** Does it a moment later, or much later. */
    async function soon<T>(work: () => Promise<T>): Promise<T> {
      await delay(random.pick([0, 0, 1, 2, 4, 8, 32, 128]))
      return work()
    }

    it('are all let in at once', async () => {
      const { manifest } = await anyNodes()[0].uploads.create({ fileName: 'a.bin', fileSize: 1 }, { principal: null })
      const request = { scope: { kind: 'whole' }, waitMs: 0 } as const
      const taken = await Promise.all(served.nodes.map(({ state }) => state.lock(manifest.id, request)))
      for (const { lock } of taken) expect(lock.held).toBe(true)
      for (const [n, { lock }] of taken.entries()) {
        const committed = served.nodes[n]!.state.commit(manifest.id, [{ type: 'touch' }], { lock, expiresAt: 0 })
        await expect(committed).resolves.toMatchObject({ manifest })
        await lock.release()
      }
    })

    it('make one file of what many clients of both faces send of it at the same time', limit, async () => {
      const CLIENTS = [SprayedTusUpload, SprayedJsonUpload, SprayedTusUpload, SprayedJsonUpload] as const
      const wire = new SprayWire(() => served.nodes.map(({ url }) => url), random)
      onTestFinished(() => wire.close())
      let retries = 0
      for (let round = 0; round < SHARED; round += 1) {
        const size = random.int(CHUNK + 1, 3 * CHUNK)
        const id = createdId(await new TusDriver(wire).create(size, `shared-${round}`))
        const clients = CLIENTS.map((Upload, client) => new Upload({ wire, seed, index: round, size, id, client }))
        await Promise.all(clients.map((client) => client.run()))
        retries += clients.reduce((sum, client) => sum + client.retries, 0)
      }
      console.log(`unlocked nodes: ${SHARED} files by ${CLIENTS.length} clients each, ${retries} retries`)
    })

    /** Has a full upload completed and removed at the same time, on different nodes. */
    async function raceToEnd(round: number, remove: (node: ServedNode, id: string) => Promise<number>) {
      // A file of one chunk or of two, which are made in different ways.
      const size = round % 8 === 0 ? CHUNK + 1 : random.int(1, 1000)
      const bytes = bytesOf(seed + size, size)
      const [a, b, c] = anyNodes()
      const { id, fileId } = await a.json.filled(bytes, { chunkSize: CHUNK })
      const [complete, head, removed] = await Promise.all([
        soon(async () => (await a.json.complete(id)).status),
        // It completes an upload, too, where it is asked at all.
        round % 2 === 0 ? soon(async () => (await c.tus.head(`/files/${id}`)).status) : 'none',
        soon(() => remove(b, id)),
      ])
      const upload = { id, fileId, bytes }
      return { complete, head, removed, upload, verdict: await commonVerdict(served.nodes, upload) }
    }

    /** Nothing changes when state is lost. */
    async function expectToStay(ended: readonly (readonly [EndedUpload, Verdict])[]): Promise<void> {
      await served.flush()
      for (const [upload, verdict] of ended) expect(await verdictOf(anyNodes()[0], upload)).toBe(verdict)
    }

    it('end an upload once where complete and cancel race', limit, async () => {
      const tally = new Tally()
      const ended: [EndedUpload, Verdict][] = []
      for (let round = 0; round < ENDS; round += 1) {
        const cancel = async ({ json }: ServedNode, id: string) => (await json.cancel(id)).status
        const { complete, head, removed, upload, verdict } = await raceToEnd(round, cancel)
        const said = tally.add(`complete ${complete}, HEAD ${head}, cancel ${removed}: ${verdict}`)
        // Whoever was told of success was told the truth.
        if (complete === 200 || head === 200) expect(verdict, said).toBe('uploaded')
        if (removed === 200) expect(verdict, said).toBe('cancelled')
        ended.push([upload, verdict])
      }
      await expectToStay(ended)
      console.log(`unlocked nodes: ${ENDS} races`, tally.counts)
    })

    it('end an upload once where complete and a DELETE race that may take a finished file', limit, async () => {
      const tally = new Tally()
      const ended: [EndedUpload, Verdict][] = []
      for (let round = 0; round < DELETIONS; round += 1) {
        const remove = async ({ tus }: ServedNode, id: string) => (await tus.request('DELETE', `/files/${id}`)).status
        const { complete, head, removed, upload, verdict } = await raceToEnd(round, remove)
        const said = tally.add(`complete ${complete}, HEAD ${head}, DELETE ${removed}: ${verdict}`)
        expect(verdict, said).toBe(removed === 204 ? 'cancelled' : 'uploaded')
        ended.push([upload, verdict])
      }
      await expectToStay(ended)
      console.log(`unlocked nodes: ${DELETIONS} races`, tally.counts)
    })

    it("acknowledge one of two contents of a chunk, which is the file's or is asked for again", limit, async () => {
      const tally = new Tally()
      for (let round = 0; round < CONTENTS; round += 1) {
        // The last chunk of two, or the only one.
        const [size, number] = round % 2 === 0 ? [CHUNK + 1000, 1] : [1000, 0]
        const start = number * CHUNK
        const files = [bytesOf(seed + round, size), bytesOf(seed + round + 1, size)] as const
        const nodes = anyNodes()
        const { json, tus } = nodes[2]
        const { id, fileId } = await json.begin({ fileSize: size, chunkSize: CHUNK })
        if (number > 0) await json.sent(id, 0, files[0].subarray(0, CHUNK))
        const answers = await Promise.all(
          files.map((file, n) => soon(() => nodes[n]!.json.chunk(id, number, file.subarray(start)))),
        )
        const content = async () => (await tus.request('GET', `/api/v1/files/${fileId}/content`)).body.subarray(start)
        let stands = files.filter((_, n) => answers[n]?.status === 200)
        const complete = await json.complete(id)
        const said = tally.add(`${answers.map(({ status }) => status).join(' and ')}, complete ${complete.status}`)
        for (const [n, answer] of answers.entries()) {
          if (answer.status !== 200) expect(answer.json, said).toMatchObject({ error: { code: 'CHUNK_CONFLICT' } })
          else expect(dataOf(answer)).toMatchObject({ checksum: sha256Of(files[n]!.subarray(start)) })
        }
        expect(stands, said).toHaveLength(1)
        if (complete.status === 409) {
          // S3 had the other content last: the one exception.
          const details = { missing: [[number, number]] }
          expect(complete.json, said).toMatchObject({ error: { code: 'CHUNKS_MISSING', details } })
          stands = [random.pick(files)]
          await json.sent(id, number, stands[0]!.subarray(start))
          await json.completed(id)
        }
        expect((await content()).equals(stands[0]!.subarray(start)), said).toBe(true)
      }
      console.log(`unlocked nodes: ${CONTENTS} races`, tally.counts)
    })

    it(
      "acknowledge to one of two tus clients its chunk, which is the file's or is asked for again",
      limit,
      async () => {
        const tally = new Tally()
        const size = CHUNK + 300 * KIB
        for (let round = 0; round < APPENDS; round += 1) {
          const nodes = anyNodes()
          const { tus } = nodes[2]
          const path = await tus.create(size)
          const files = [bytesOf(seed + round, size), bytesOf(seed + round + 1, size)] as const
          const ends = files.map(() => random.int(CHUNK, size - 1))
          const answers = await Promise.all(
            files.map((file, n) => soon(() => nodes[n]!.tus.patch(path, 0, file.subarray(0, ends[n])))),
          )
          const wentBack = await finish(tus, path, files[0])
          const { body } = await tus.request('GET', path)
          const said = tally.add(
            `${answers.map(({ status }) => status).join(' and ')}${wentBack ? ', asked again' : ''}`,
          )
          const told = files.filter((_, n) => answers[n]?.status === 204)
          expect(told.length, said).toBeLessThanOrEqual(1)
          const [stands] = wentBack ? [files[0]] : told
          if (stands !== undefined) expect(body.subarray(0, CHUNK).equals(stands.subarray(0, CHUNK)), said).toBe(true)
        }
        console.log(`unlocked nodes: ${APPENDS} races`, tally.counts)
      },
    )
  })
})

/** Appends until all is there. Returns whether the offset ever went back. */
async function finish(tus: TusClient, path: string, bytes: Buffer): Promise<boolean> {
  let wentBack = false
  let offset = await tus.offset(path)
  for (let turn = 0; turn < 3 && offset < bytes.length; turn += 1) {
    await tus.patch(path, offset, bytes.subarray(offset))
    const now = await tus.offset(path)
    wentBack ||= now < offset
    offset = now
  }
  expect(offset).toBe(bytes.length)
  return wentBack
}

/** Counts what was said. */
class Tally {
  readonly counts: Record<string, number> = {}

  add(said: string): string {
    this.counts[said] = (this.counts[said] ?? 0) + 1
    return said
  }
}
