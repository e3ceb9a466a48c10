import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { FileStorage, inspectUpload } from '../../src/storage/file/index.ts'
import { sharedVariables } from '../support/cluster.ts'
import { bucketOf, redisOf, treeOf } from '../support/place-listing.ts'
import { S3Place } from '../support/s3-place.ts'
import { runServerProcess, startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { leaveSweepable, nobodysId, sweepLines, type SweepableUploads } from '../support/sweepable-uploads.ts'
import { makeTempDir, tempDir } from '../support/temp-dir.ts'

const MIB = 1024 * 1024

interface Told {
  readonly lines: readonly string[]
  /** What is done with which upload. */
  readonly uploads: readonly string[]
  readonly summary: string
}

async function sweep(variables: Readonly<Record<string, string>>, ...flags: readonly string[]): Promise<Told> {
  const { code, stdout, stderr } = await runServerProcess(variables, ['sweep', ...flags])
  expect({ code, stderr: stderr.replace(/\(node:[^]*/, '') }).toEqual({ code: 0, stderr: '' })
  const all = stdout.trimEnd().split('\n')
  const at = all.findIndex((line) => /^(?:Dry run|Done)/.test(line))
  const lines = all.slice(0, at).toSorted()
  const uploads = lines.flatMap((line) => /^\w+ +[0-9a-f-]{36}(?= )/.exec(line)?.[0].replace(/ +/, ' ') ?? [])
  return { lines, uploads, summary: all[at] ?? '' }
}

/** What a dry run says is what the sweep says that follows, and what then is done. */
async function expectSwept(told: Told, ids: SweepableUploads, variables: Readonly<Record<string, string>>) {
  expect(told.uploads).toEqual(sweepLines(ids))
  expect(told.summary).toMatch(/^Dry run, nothing was changed: 8 uploads looked at; /)
  const done = await sweep(variables)
  expect(done.lines).toEqual(told.lines)
  expect(done.summary).toBe(told.summary.replace('Dry run, nothing was changed', 'Done'))
  // What has just been completed is read for its checksum by the next one, and nothing else is left.
  expect((await sweep(variables, '--dry-run')).uploads).toEqual([`checksum ${ids.complete}`])
}

describe('holdfast sweep in a directory', () => {
  it('does what --dry-run said, which changes nothing', async () => {
    const directory = await tempDir()
    const storage = new FileStorage({ directory })
    await storage.open()
    const ids = await leaveSweepable(storage, 1000)
    await storage.close()
    // Left by crashes, long ago; the last belongs to nobody here.
    for (const name of [nobodysId(), `.gone-${nobodysId()}-0123abcd`, 'lost+found']) {
      await mkdir(join(directory, 'uploads', name))
      await utimes(join(directory, 'uploads', name), 1, 1)
    }
    await writeFile(join(directory, 'uploads', ids.keep[0], 'journal'), 'torn', { flag: 'a' })
    const before = await treeOf(directory)
    const told = await sweep({ DATA_DIR: directory }, '--dry-run')
    expect(await treeOf(directory)).toEqual(before)
    expect(told.lines.filter((line) => line.startsWith('delete    uploads/'))).toHaveLength(2)

    await expectSwept(told, ids, { DATA_DIR: directory })
    const status = async (id: string) => (await inspectUpload(directory, id))?.status
    expect(await status(ids.complete)).toBe('uploaded')
    expect(await status(ids.expire)).toBe('expired')
    expect(await status(ids.forget)).toBeUndefined()
    expect((await inspectUpload(directory, ids.delete))?.data).toBeNull()
    expect((await inspectUpload(directory, ids.checksum))?.record?.checksum).toMatch(/^[0-9a-f]{64}$/)
    expect(await Promise.all(ids.keep.map(status))).toEqual(['uploading', 'cancelled', 'uploaded'])
    expect((await treeOf(directory)).some((line) => line.startsWith('uploads/lost+found '))).toBe(true)
  })

  it('only looks while a server has the directory, and refuses to sweep', async () => {
    const directory = await tempDir()
    const server = await startServerProcess(directory)
    onTestFinished(async () => void (await server.kill()))
    const [{ summary }, { code, stdout, stderr }] = await Promise.all([
      sweep({ DATA_DIR: directory }, '--dry-run'),
      runServerProcess({ DATA_DIR: directory }, ['sweep']),
    ])
    expect(summary).toBe('Dry run, nothing was changed: 0 uploads looked at; nothing to do.')
    const line = `holdfast: ${directory} is in use by process ${server.pid}; stop it or choose another DATA_DIR\n`
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: line })
  })

  it('says in one line that there is nothing to look at', async () => {
    const directory = await tempDir()
    const { code, stdout, stderr } = await runServerProcess({ DATA_DIR: directory }, ['sweep', '--dry-run'])
    const line = `holdfast: there are no uploads in ${directory}; check DATA_DIR\n`
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: line })
    expect(await treeOf(directory)).toEqual([])
  })
})

describeWithRedis('holdfast sweep with a Redis', () => {
  describeWithS3('and a bucket', () => {
    let place: S3Place
    let redis: Redis
    const prefix = `sweep-${nobodysId()}:`

    beforeAll(async () => {
      place = await S3Place.make()
      redis = new Redis(redisService().url)
    })
    afterAll(async () => {
      redis.disconnect()
      await place.leave()
    })

    it('does beside a running server what --dry-run said, which changes nothing', async () => {
      const variables = { ...sharedVariables(redisService().url, place.bucket), REDIS_PREFIX: prefix }
      const server = await startServerProcess(await makeTempDir(), variables)
      onTestFinished(async () => void (await server.kill()))
      // After its walk, so that it leaves them all for an hour.
      await expect.poll(async () => redis.hget(`${prefix}accounts`, 'whole')).toBeTruthy()
      const ids = await leaveSweepable(await place.open(), 5 * MIB)
      // What a server looks up stands in Redis, too.
      for (const id of [ids.keep[0], ids.delete]) await fetch(`${server.url}/api/v1/uploads/${id}`)
      await expect.poll(async () => redis.exists(`${prefix}{sweep}:lock`)).toBe(0)
      const all = async () => [await bucketOf(place.client, place.bucket), await redisOf(redis, prefix)]

      const before = await all()
      expect(before[1]?.length).toBeGreaterThan(3)
      const told = await sweep(variables, '--dry-run')
      expect(await all()).toEqual(before)

      await expectSwept(told, ids, variables)
      const status = async (id: string): Promise<unknown> => {
        const answer = await fetch(`${server.url}/api/v1/uploads/${id}/progress`)
        const { data, error } = (await answer.json()) as { data?: { status: string }; error?: { code: string } }
        return data?.status ?? error?.code
      }
      expect(await status(ids.complete)).toBe('uploaded')
      expect(await status(ids.expire)).toBe('UPLOAD_EXPIRED')
      expect(await status(ids.forget)).toBe('UPLOAD_NOT_FOUND')
      expect(await Promise.all(ids.keep.map(status))).toEqual(['uploading', 'UPLOAD_CANCELLED', 'uploaded'])
      expect(await place.multipartKeys()).toHaveLength(1)
    })
  })
})
