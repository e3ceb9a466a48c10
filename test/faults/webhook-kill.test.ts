import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Cluster, facesOf } from '../support/cluster.ts'
import { JsonClient } from '../support/json-client.ts'
import { startServerProcess } from '../support/server-process.ts'
import { startRedis } from '../support/services/own-redis.ts'
import { describeWithRedis } from '../support/services/redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/webhook-receiver.ts'

const HELLO = Buffer.from('hello')
const TIMEOUT = { timeout: 90_000 }

async function receiving() {
  const receiver = await WebhookReceiver.start()
  onTestFinished(() => receiver.leave())
  return { receiver, variables: { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET } }
}

describe('a server that is killed before its webhook was told', () => {
  it('tells it after the next start, once, also where the receiver was away meanwhile', TIMEOUT, async () => {
    const { receiver, variables } = await receiving()
    const directory = await tempDir()
    const serve = async () => {
      const server = await startServerProcess(directory, variables)
      const json = new JsonClient(server.url)
      onTestFinished(async () => {
        json.close()
        await server.kill()
      })
      return { server, json }
    }
    const first = await serve()
    receiver.plan.push('hang', 500)
    const one = await first.json.filled(HELLO)
    await first.json.completed(one.id)
    await receiver.received(1)
    const other = await first.json.filled(HELLO)
    await first.json.completed(other.id)
    await receiver.received(2)
    await receiver.leave()
    await first.server.kill('SIGKILL')

    // It starts while the receiver is away, and tells it when that is back.
    const second = await serve()
    await expect.poll(() => second.server.output(), { timeout: 20_000 }).toContain('fetch failed')
    await receiver.comeBack()
    const ids = [one, other].map(({ fileId }) => `completed_${fileId}`)
    await receiver.received(4)
    expect(receiver.ids.slice(2).toSorted()).toEqual(ids.toSorted())
    expect(await second.server.kill('SIGTERM')).toBe(0)

    const third = await serve()
    const last = await third.json.filled(HELLO)
    await third.json.completed(last.id)
    await receiver.received(5)
    expect(await third.server.kill('SIGTERM')).toBe(0)
    expect([receiver.ids.slice(4), receiver.faults]).toEqual([[`completed_${last.fileId}`], []])
  })
})

describeWithRedis('a node that is killed', () => {
  describeWithS3('after S3 has made the file and before its webhook was told', () => {
    it.each([
      ['and Redis is emptied', true],
      ['and Redis still has the lock under which it was telling', false],
    ])('has it told by the next node, %s', TIMEOUT, async (_, flushes) => {
      const { receiver, variables } = await receiving()
      const redis = await startRedis()
      onTestFinished(() => redis.stop())
      const cluster = await Cluster.start(1, redis.url, { ...variables, LOCK_LEASE: '4s' })
      onTestFinished(() => cluster.stop())
      receiver.plan.push('hang')
      const [face] = facesOf(cluster)
      if (face === undefined) throw new Error('There is no node.')
      // More than one chunk: its file is made by CompleteMultipartUpload.
      const { id, fileId } = await face.json.filled(Buffer.alloc(6 * 1024 * 1024, 7))
      await face.json.completed(id)
      await receiver.received(1)
      face.json.close()
      await cluster.end(0, 'SIGKILL')
      if (flushes) {
        const client = new Redis(redis.url)
        await client.flushall()
        client.disconnect()
      }
      await cluster.begin(0)
      await receiver.received(2)
      expect([receiver.ids, receiver.faults]).toEqual([[`completed_${fileId}`, `completed_${fileId}`], []])
      // It is recorded that it was told: the node after that one does not tell it again.
      await cluster.end(0, 'SIGTERM')
      await cluster.begin(0)
      const [next] = facesOf(cluster)
      if (next === undefined) throw new Error('There is no node.')
      const another = await next.json.filled(HELLO)
      await next.json.completed(another.id)
      await receiver.received(3)
      next.json.close()
      await cluster.end(0, 'SIGTERM')
      expect(receiver.ids.slice(2)).toEqual([`completed_${another.fileId}`])
    })
  })
})
