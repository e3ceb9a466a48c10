import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished, vi } from 'vitest'
import { bytesOf } from '../support/byte-source.ts'
import { startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { nobodysId } from '../support/sweepable-uploads.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

/** More than the buffers between two sockets hold. */
const LARGE = 32 * 1024 * 1024
const SENT = 100_000

async function connected(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  onTestFinished(() => void socket.destroy())
  return socket
}

describeWithRedis('a server that is told to stop', () => {
  it('takes no connection, is not ready, ends bodies, gives their locks back, and ends', async () => {
    const prefix = `drain-${nobodysId()}:`
    const variables = { REDIS_URL: redisService().url, REDIS_PREFIX: prefix, SHUTDOWN_TIMEOUT: '20s' }
    const server = await startServerProcess(await tempDir(), variables)
    const redis = new Redis(redisService().url)
    onTestFinished(async () => {
      redis.disconnect()
      await server.kill()
    })
    const tus = new TusClient(server.url)
    // A download that nobody reads keeps it from its end, as long as the test wants.
    const file = await tus.create(LARGE)
    expect((await tus.patch(file, 0, Buffer.alloc(LARGE))).status).toBe(204)
    const download = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${server.url}${file}`, { agent: false }, resolve).on('error', reject)
    })
    const path = await tus.create(LARGE)
    const body = tus.openPatch(path, 0, LARGE)
    await body.write(bytesOf(3, SENT))
    const held = async () => redis.hkeys(`${prefix}{${path.slice(path.lastIndexOf('/') + 1)}}:lock`)
    await expect.poll(held).toContainEqual(expect.stringMatching(/^h:/))
    const probe = await connected(server.url)
    probe.write('GET /readyz HTTP/1.1\r\nHost: a\r\n')

    const exited = server.kill('SIGTERM')
    await vi.waitUntil(() => server.output().includes('SIGTERM: shutting down'))
    // "later", which tus clients heed.
    expect((await body.answer).status).toBe(423)
    await expect.poll(held).not.toContainEqual(expect.stringMatching(/^h:/))
    await expect
      .poll(() =>
        connected(server.url).then(
          () => 'taken',
          ({ code }) => code,
        ),
      )
      .toBe('ECONNREFUSED')
    // A load balancer that has asked on a connection of before.
    probe.write('\r\n')
    const [answer] = (await once(probe, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 503 [^]*draining/)

    expect(server.output()).not.toContain('shut down')
    download.resume()
    expect(await exited, server.output()).toBe(0)
    expect(await redis.keys(`${prefix}*:lock`)).toEqual([])
    expect(server.output()).toMatch(/"code":"DRAINING","status":423/)
  })
})
