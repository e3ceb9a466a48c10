import { randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished, vi } from 'vitest'
import { RedisLocker } from '../../../src/locks/redis-locker.ts'
import { listen } from '../../support/listen.ts'
import { describeWithRedis, redisService } from '../../support/services/redis.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { TusClient } from '../../support/tus-client.ts'

const SIZE = 300_000

/** A stock server with our locker, as its manual would have it. */
async function startStockServer(directory: string): Promise<{ readonly tus: TusClient; readonly lost: string[] }> {
  const redis = new Redis(redisService().url)
  const lost: string[] = []
  const locker = new RedisLocker({
    redis,
    prefix: 'tus:',
    leaseMs: 5000,
    waitMs: 8000,
    onLost: (id) => void lost.push(id),
  })
  onTestFinished(async () => {
    await locker.close()
    redis.disconnect()
  })
  const server = new Server({ path: '/files', datastore: new FileStore({ directory }), locker, lockDrainTimeout: 1 })
  return { tus: new TusClient(await listen((request, response) => void server.handle(request, response))), lost }
}

describeWithRedis('RedisLocker in stock tus servers on one folder', () => {
  it('lets a second PATCH on another server ask the first to let go, and the upload goes on there', async () => {
    const directory = await tempDir()
    const [one, two] = [await startStockServer(directory), await startStockServer(directory)]
    const bytes = randomBytes(SIZE)
    const path = await one.tus.create(SIZE)
    const id = path.split('/').at(-1) ?? ''
    const stalled = one.tus.openPatch(path, 0, SIZE)
    await stalled.write(bytes.subarray(0, 100_000))
    await vi.waitFor(async () => expect((await stat(join(directory, id))).size).toBeGreaterThan(0))
    // It does not know how far the first has come; what matters is that it is heard, and the first lets go.
    expect((await two.tus.patch(path, SIZE, Buffer.from('x'))).status).toBe(409)
    const offset = await two.tus.offset(path)
    expect(offset).toBeGreaterThan(0)
    expect(offset).toBeLessThanOrEqual(100_000)
    stalled.cut()

    const rest = await two.tus.patch(path, offset, bytes.subarray(offset))
    expect(rest).toMatchObject({ status: 204, headers: { 'upload-offset': String(SIZE) } })
    expect(await one.tus.offset(path)).toBe(SIZE)
    expect(Buffer.compare(await readFile(join(directory, id)), bytes)).toBe(0)
    expect([one.lost, two.lost]).toEqual([[], []])
  })

  it('never lets two servers write to one upload at once', async () => {
    const directory = await tempDir()
    const servers = await Promise.all([startStockServer(directory), startStockServer(directory)])
    const bytes = randomBytes(20)
    const path = await servers[0].tus.create(bytes.length + 1)
    // Every byte is sent to both servers at once: one takes it. The other comes too late, or was asked to let go (400).
    for (let offset = 0; offset < bytes.length; offset += 1) {
      const byte = bytes.subarray(offset, offset + 1)
      const answers = await Promise.all(servers.map(({ tus }) => tus.patch(path, offset, byte)))
      expect(answers.filter(({ status }) => status === 204).length).toBeLessThan(2)
      expect(await servers[0].tus.offset(path)).toBe(offset + 1)
    }
    expect(Buffer.compare(await readFile(join(directory, path.split('/').at(-1) ?? '')), bytes)).toBe(0)
  })
})
